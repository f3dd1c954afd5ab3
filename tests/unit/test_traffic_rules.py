"""The rules of a shift, its limits, and what is made of what is seen from outside."""

from dataclasses import replace
from typing import Any

import pytest

from dr.traffic import limits, watching
from dr.traffic.rules import (
    NEVER_SET_ASIDE,
    Limits,
    Rule,
    Situation,
    breaches,
    standing_in_the_way,
    wrong_names,
)
from dr.traffic.steps import steps
from dr.traffic.watching import Tally, Verdict

HOME, CITY = {"a": 100, "b": 0}, {"a": 0, "b": 100}
FINE = Situation(
    sites=("a", "b"), before=HOME, after=CITY, steps=steps(HOME, CITY), ttl_s=30, soak_s=60,
    since_s=3600.0, behind_s={"b": 5.0},
)  # fmt: skip


def broken(**changes: Any) -> list[str]:
    return [one.code for one in breaches(replace(FINE, **changes))]


def test_a_shift_that_keeps_to_all_rules() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("after", "rules"),
    [
        ({"a": 50, "b": 49}, ["sum"]),
        ({"a": 150, "b": -50}, ["sum", "sum"]),
        ({"a": 0, "b": 0}, ["sum", "one_site"]),
        ({"a": 50, "c": 50}, ["sum"]),
    ],
)
def test_shares_make_a_hundred_at_sites_that_have_addresses(after: dict[str, int], rules: list[str]) -> None:
    assert broken(after=after) == rules


def test_a_system_with_one_writer_serves_only_there() -> None:
    assert broken(writer="a", is_one_site=True) == ["one_writer"]
    assert broken(writer="b", is_one_site=True) == []
    assert broken(writer="a") == []
    assert broken(writer=None, is_one_site=True) == []


def test_a_freeze_is_never_set_aside() -> None:
    found = breaches(replace(FINE, is_frozen=True, soak_s=10))
    left = standing_in_the_way(found, ["frozen", "ttl"])
    assert [one.code for one in left] == ["frozen"]


def test_shares_that_the_name_server_cannot_give_are_refused() -> None:
    assert broken(gives_shares=False) == ["shares"]
    assert broken(gives_shares=False, steps=steps(HOME, CITY, gives_shares=False)) == []


def test_a_site_needs_room_for_what_it_gets_and_a_fifth_more() -> None:
    known = Limits(load_per_s={"a": 80.0, "b": 0.0}, room_per_s={"b": 96.0})
    assert broken(limits=known) == []
    assert broken(limits=replace(known, room_per_s={"b": 95.9})) == ["headroom"]
    assert broken(limits=replace(known, room_per_s={"b": 1.0}), after=HOME, before=CITY) == []
    half = {"a": 50, "b": 50}
    assert broken(limits=replace(known, room_per_s={"b": 48.0}), after=half, steps=[half]) == []


def test_data_that_is_too_old_or_of_unknown_age_keeps_readers_away() -> None:
    assert broken(writer="a", limits=Limits(lag_s=10.0)) == []
    assert broken(writer="a", limits=Limits(lag_s=4.0)) == ["lag"]
    assert broken(writer="a", limits=Limits(lag_s=4.0), behind_s={}) == ["lag"]
    assert broken(writer="b", limits=Limits(lag_s=4.0)) == []


def test_a_step_is_watched_for_as_long_as_old_answers_are_good() -> None:
    assert broken(soak_s=29) == ["ttl"]
    assert broken(soak_s=29, steps=[CITY]) == []


def test_people_are_not_led_to_and_fro() -> None:
    assert broken(since_s=599.0) == ["flap"]
    assert broken(since_s=None) == []
    assert broken(since_s=599.0, limits=Limits(flap_s=500)) == []


def test_steps_that_nobody_watches_need_a_word() -> None:
    assert broken(is_watched=False) == ["watch"]


def test_rules_are_set_aside_by_name_and_with_a_reason() -> None:
    assert wrong_names(["ttl", "flap"], "the province's power is off") == []
    assert [one.place for one in wrong_names(["ttl"], " ")] == ["reason"]
    wrong = wrong_names([*sorted(NEVER_SET_ASIDE), "all"], "x")
    assert [one.code for one in wrong] == ["never"] * len(NEVER_SET_ASIDE) + ["unknown_word"]
    assert standing_in_the_way(breaches(replace(FINE, soak_s=1)), [Rule.TTL]) == []


def test_limits_are_read_with_all_their_faults() -> None:
    sites = {"a": (), "b": ()}
    good = {
        "headroom": 1.5, "load_per_s": {"a": 10}, "room_per_s": {"b": 20.5}, "lag_s": 30, "soak_s": 45,
        "watch": {"kind": "https", "path": "/health", "contains": "ok"}, "ramp": [10, 100],
    }  # fmt: skip
    kept, faults = limits.read(good, sites)
    assert faults == []
    assert limits.limits_of(kept) == Limits(1.5, {"a": 10}, {"b": 20.5}, 30)
    assert limits.ramp_of(kept) == (10, 100)
    watch = limits.read_watch(kept)
    assert watch is not None
    question = watch.question("10.0.0.1", "app.gov.test.")
    assert (question.port, question.host, question.status) == (443, "app.gov.test.", 200)
    bad = {
        "headrom": 2, "headroom": 0.5, "load_per_s": {"c": 1, "a": "many"}, "room_per_s": 7,
        "ramp": [5, 5, 100],
        "watch": {"kind": "tcp", "path": "no", "port": 0, "statuss": 1}, "flap_s": True,
    }  # fmt: skip
    _, faults = limits.read(bad, sites)
    assert sorted(one.place for one in faults) == [
        "limits.flap_s", "limits.headrom", "limits.headroom", "limits.load_per_s.a", "limits.load_per_s.c",
        "limits.ramp", "limits.room_per_s", "limits.watch.path", "limits.watch.port", "limits.watch.statuss",
    ]  # fmt: skip
    assert "did you mean headroom?" in str(next(one for one in faults if one.place == "limits.headrom"))
    assert [one.code for one in limits.read([], sites)[1]] == ["not_a_mapping"]
    assert [one.place for one in limits.read({"watch": {"kind": "tcp"}}, sites)[1]] == ["limits.watch.port"]


def seen(*answers: bool) -> Tally:
    tally = Tally()
    for is_well in answers:
        tally = tally.and_one(is_well, "HTTP 500")
    return tally


GOOD, LOST = seen(*[True] * 50), seen(True, False, False, False)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (GOOD, GOOD, Verdict.GOOD),
        (GOOD, LOST, Verdict.BACK),
        (LOST, GOOD, Verdict.GOOD),
        (LOST, LOST, Verdict.HALT),
        (GOOD, seen(False, False, True), Verdict.GOOD),
        (GOOD, seen(*[True] * 48, False, True, False), Verdict.BACK),
        (GOOD, seen(*[True] * 49, False), Verdict.GOOD),
    ],
)
def test_what_follows_from_what_is_seen(old: Tally, new: Tally, verdict: Verdict) -> None:
    found, failing = watching.judge({"a": old, "b": new}, {"b"}, 2.0)
    assert found is verdict
    assert ("b" in failing) is (verdict in {Verdict.BACK, Verdict.HALT})


def test_a_new_name_that_does_not_answer_has_nowhere_to_go_back_to() -> None:
    assert watching.judge({"b": LOST}, {"b"}, 2.0)[0] is Verdict.HALT


def test_time_that_passed_without_a_look_is_no_watching() -> None:
    assert watching.has_seen({"a": seen(True, True, True)}, ["a"])
    assert not watching.has_seen({"a": seen(True, True)}, ["a"])
    assert not watching.has_seen({}, ["a"])


def test_tallies_are_kept_and_read_again() -> None:
    rows = {site: tally.as_json() for site, tally in {"a": GOOD, "b": LOST}.items()}
    assert watching.read(rows) == {"a": GOOD, "b": LOST}
    assert watching.to_ask(HOME, {"a": 95, "b": 5}) == ["a", "b"]
    assert watching.to_ask(HOME, HOME) == ["a"]
    assert watching.growing(HOME, CITY) == {"b"}
