"""Databases that are set up, switched, given back, followed again: in memory and on two real PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest

from cloudctl.errors import DatabaseRefused
from dr.ways import databases, streaming
from tests.contract.database_bench import AWAY, HOME, Bench, a_pair, benches

PAIR = a_pair()


@pytest.fixture(scope="module", params=["fake", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with benches(request.param, tmp_path_factory.mktemp("databases")) as made:
        yield made


def turn(bench: Bench, site: str, playbook: str, **more: Any) -> streaming.Told:
    return bench.asked.turn(PAIR, site, playbook, **more)


def told(bench: Bench, site: str) -> streaming.Told:
    found = bench.asked.look(PAIR)[site]
    assert isinstance(found, streaming.Told), found
    return found


def arrives(bench: Bench, site: str, *texts: str) -> None:
    bench.wait(f"{texts} at {site}", lambda: bench.texts(site)[-len(texts) :] == list(texts))


def has_all(bench: Bench, site: str, position: int | None) -> None:
    assert position is not None
    bench.wait("all of it", lambda: streaming.has_all(position, told(bench, site)))


def test_one_follows_the_other_from_a_copy_and_again_changes_nothing(bench: Bench) -> None:
    with pytest.raises(DatabaseRefused):
        turn(bench, AWAY, databases.STANDBY)  # nobody lets it in yet
    turn(bench, HOME, databases.PRIMARY)
    bench.write(HOME, "a")
    assert turn(bench, AWAY, databases.STANDBY).is_streaming
    assert turn(bench, AWAY, databases.STANDBY).role == streaming.STANDBY
    arrives(bench, AWAY, "a")
    assert streaming.is_set_up(bench.asked.look(PAIR), HOME, AWAY)
    assert told(bench, HOME).follower is not None


def test_a_demoted_primary_tells_how_far_it_came_and_writes_again_when_it_is_given_back(
    bench: Bench,
) -> None:
    bench.write(HOME, "b")
    ended = turn(bench, HOME, databases.DEMOTE)
    assert turn(bench, HOME, databases.DEMOTE).position == ended.position
    assert not ended.is_primary
    has_all(bench, AWAY, ended.position)
    assert bench.texts(AWAY)[-1] == "b"
    assert turn(bench, HOME, databases.REGAIN).role == streaming.PRIMARY
    assert turn(bench, HOME, databases.REGAIN).role == streaming.PRIMARY
    bench.write(HOME, "c")
    arrives(bench, AWAY, "b", "c")


def test_one_that_its_agent_has_stopped_is_not_started_to_be_demoted_and_comes_back_as_it_was(
    bench: Bench,
) -> None:
    bench.write(HOME, "d")
    timeline = told(bench, HOME).timeline
    bench.stop(HOME)
    ended = turn(bench, HOME, databases.DEMOTE)
    assert (ended.role, ended.is_primary) == (streaming.STOPPED, False)
    has_all(bench, AWAY, ended.position)
    assert turn(bench, HOME, databases.REGAIN).is_primary
    bench.start(HOME)
    assert (told(bench, HOME).role, told(bench, HOME).timeline) == (streaming.PRIMARY, timeline)
    bench.write(HOME, "e")
    arrives(bench, AWAY, "d", "e")


def test_one_that_was_killed_hands_on_what_the_other_lacks_and_then_follows_it(bench: Bench) -> None:
    bench.stop(AWAY)
    bench.write(HOME, "f")
    bench.stop(HOME, is_clean=False)
    bench.start(AWAY)
    has_all(bench, AWAY, turn(bench, HOME, databases.DEMOTE).position)
    assert turn(bench, AWAY, databases.PROMOTE).role == streaming.PRIMARY
    assert turn(bench, AWAY, databases.PROMOTE).role == streaming.PRIMARY
    bench.write(AWAY, "g")
    turn(bench, AWAY, databases.PRIMARY)
    turn(bench, HOME, databases.REWIND)
    arrives(bench, HOME, "f", "g")


def test_one_that_is_promoted_and_kept_from_running_counts_as_promoted(bench: Bench) -> None:
    bench.stop(AWAY)
    promoted = turn(bench, AWAY, databases.PROMOTE)
    assert (promoted.role, promoted.is_primary) == (streaming.STOPPED, True)
    bench.start(AWAY)


def test_what_only_a_lost_primary_had_is_kept_beside_the_copy_that_takes_its_place(bench: Bench) -> None:
    bench.stop(HOME)
    bench.write(AWAY, "only here")
    bench.stop(AWAY, is_clean=False)
    bench.start(HOME)
    turn(bench, HOME, databases.PROMOTE)
    bench.write(HOME, "h")
    turn(bench, HOME, databases.PRIMARY)
    assert turn(bench, AWAY, databases.STANDBY, standby_keep="move-7").is_streaming
    arrives(bench, AWAY, "g", "h")
    turn(bench, AWAY, databases.STANDBY, standby_keep="move-7")
    assert bench.kept(AWAY, "move-7")[-2:] == ["g", "only here"], "copied once, kept once"
