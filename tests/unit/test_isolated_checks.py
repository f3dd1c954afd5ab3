"""How an application is asked whether it answers: what may be said, and what is told when it is wrong."""

from cloudctl.cli.backup_policy import check_of
from dr.isolated.checks import MOST_CHECKS, Check, from_json, read


def test_checks_say_only_what_is_not_usual() -> None:
    found, faults = read(
        [
            {"kind": "http", "server": "vm1", "path": "/health", "contains": "ok"},
            {"kind": "postgresql"},
            {"kind": "tcp", "port": 22},
        ],
        "checks",
    )
    assert not faults
    assert found == (
        Check("http", 80, "vm1", "/health", 200, "ok"),
        Check("postgresql", 5432),
        Check("tcp", 22),
    )
    assert [one.name for one in found] == ["http://vm1:80/health", "postgresql://*:5432", "tcp://*:22"]
    assert from_json([one.as_json() for one in found]) == found


def test_everything_that_is_wrong_with_checks_is_told_at_once() -> None:
    given = [
        {"kind": "icmp", "port": 1},
        {"kind": "tcp"},
        {"kind": "tcp", "port": 0, "path": "/x"},
        {"kind": "http", "status": 99, "path": "health", "contains": "a\nb", "colour": "red"},
        "http://vm1",
        {"kind": "https"},
        {"kind": "https"},
    ]
    _, faults = read(given, "checks")
    assert {(one.place, one.code) for one in faults} == {
        ("checks[0].kind", "unknown_word"),
        ("checks[1].port", "missing"),
        ("checks[2].port", "out_of_range"),
        ("checks[2].path", "contradiction"),
        ("checks[3].status", "out_of_range"),
        ("checks[3].path", "bad_path"),
        ("checks[3].contains", "bad_text"),
        ("checks[3].colour", "unknown_key"),
        ("checks[4]", "bad_shape"),
        ("checks[6]", "twice"),
    }


def test_too_many_checks_and_what_is_no_list_are_refused() -> None:
    for given in ("tcp", [{"kind": "postgresql"}] * (MOST_CHECKS + 1)):
        found, faults = read(given, "checks")
        assert not found
        assert [one.code for one in faults] == ["bad_shape"]


def test_a_check_is_written_as_an_address_with_what_is_expected_behind_it() -> None:
    assert check_of("http://vm1:8080/health 204") == {
        "kind": "http", "server": "vm1", "port": 8080, "path": "/health", "status": 204,
    }  # fmt: skip
    assert check_of("https://*/notes 200 before the full point")["contains"] == "before the full point"
    assert check_of("http://*:80/health ok") == {
        "kind": "http", "port": 80, "path": "/health", "contains": "ok",
    }  # fmt: skip
    assert check_of("postgresql://*") == {"kind": "postgresql"}
