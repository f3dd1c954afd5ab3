"""PostgreSQL's streaming replication as the playbooks make it: two real clusters, promoted and rewound."""

from collections.abc import Iterator

import pytest

from tests.postgres_pair import ADDRESS, Pair, a_pair


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with a_pair() as made:
        yield made


NOTES = "SELECT count(*) FROM note"


def test_a_server_follows_is_promoted_and_the_other_is_rewound_to_it(pair: Pair) -> None:
    pair.ask("one", "CREATE TABLE note (text text)")
    assert pair.play("primary", "one") == {"changed": True, "was_restarted": True}
    assert pair.play("primary", "one") == {"changed": False, "was_restarted": False}

    assert pair.play("standby", "two")["changed"]
    pair.ask("one", "INSERT INTO note VALUES ('streamed')")
    pair.arrives("two", NOTES, "1")
    assert not pair.play("standby", "two")["changed"], "again changes nothing"
    told = pair.cluster("one").told()
    assert (told["role"], [one["state"] for one in told["standbys"]]) == ("primary", ["streaming"])
    assert pair.cluster("two").told()["is_streaming"]
    assert pair.ask("two", "SHOW listen_addresses") == ADDRESS["two"], "the copy listens on its own address"

    pair.run("pg_ctl", "-D", pair.home / "two" / "data", "-m", "fast", "-w", "stop")
    pair.ask("one", "INSERT INTO note VALUES ('only at one')")
    pair.run("pg_ctl", "-D", pair.home / "one" / "data", "-m", "immediate", "stop")
    pair.cluster("two").start()
    assert pair.play("promoted", "two")["changed"]
    assert not pair.play("promoted", "two")["changed"], "again changes nothing"
    pair.ask("two", "INSERT INTO note VALUES ('written at two')")
    assert pair.play("primary", "two")["changed"]

    assert pair.play("rewound", "one")["changed"]
    pair.arrives("one", "SELECT string_agg(text, ',' ORDER BY text) FROM note", "streamed,written at two")
    assert pair.ask("one", "SELECT pg_is_in_recovery()") == "t"
    assert not pair.play("rewound", "one")["changed"], "again changes nothing"
    assert pair.cluster("one").told()["timeline"] == 2
