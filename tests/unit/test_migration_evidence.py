"""What stands behind a figure: evidence of running servers as time goes by, and who may see which systems."""

from datetime import date, timedelta
from typing import Any

import pytest

from cloudctl.actors import Actor
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotFound
from cloudctl.models import InformationSystem, RunningSpan, Site
from tenants.migration import figures, rule_file, rules
from tenants.migration.evidence import WHICH, Listed, evidence, of_system
from tests.builders import an_actor
from tests.counted_register import MOVED, a_province_without_systems, a_system, bound, runs
from tests.unit.test_rule import RULES

DAY = 24 * 3600
PROOF: dict[str, Any] = {**MOVED, "old_host_off_on": date(2026, 1, 1)}


@pytest.fixture
def dave(core: Core) -> Actor:
    a_province_without_systems(core)
    return an_actor(core, "dave")


def live(core: Core, actor: Actor, key: str = "it", **asked: Any) -> tuple[str, str]:
    """What the looks say of a system, and why."""
    row = of_system(core, actor, key, **asked)
    [piece] = [one for one in row["evidence"] if one["name"] == "live"]
    return piece["value"], piece["template"].format(**piece["params"])


def verified(core: Core, actor: Actor) -> tuple[Any, Any, int, int]:
    [row] = figures.rate(core, actor, scope="own:450000")
    return row["verified"], row["verified_rate"], row["unknown"], row["idle"]


def demo(core: Core, actor: Actor) -> None:
    rules.apply(core, actor, rule_file.read((RULES / "demo-0d.yaml").read_bytes()), use=True)


# -- live


def test_thirty_days_of_running_without_a_break_are_proof_and_less_is_not(
    core: Core, dave: Actor, clock: FrozenClock
) -> None:
    a_system(core, "it", **PROOF)
    runs(core, "it", core.clock.now() - timedelta(days=30) + timedelta(seconds=1))
    assert live(core, dave)[0] == "no"
    assert "30 days are asked" in live(core, dave)[1]
    clock.advance(1)
    assert live(core, dave)[0] == "yes"
    assert live(core, dave)[1].startswith("a server has run at province since 2026-10-22")
    assert verified(core, dave) == (1, "100.00", 0, 0)


def test_the_verified_rate_moves_with_the_servers_and_back_when_they_are_deleted(
    core: Core, dave: Actor, clock: FrozenClock
) -> None:
    demo(core, dave)
    a_system(core, "it", **MOVED)
    a_system(core, "other", **MOVED)
    assert verified(core, dave)[:2] == (0, "0.00")
    runs(core, "it", core.clock.now())
    assert verified(core, dave)[:2] == (1, "50.00")
    clock.advance(3600)
    with core.store.write() as uow:
        uow.update(RunningSpan, RunningSpan.system_id == "it", until=core.clock.now())
    assert verified(core, dave)[:2] == (0, "0.00")
    assert live(core, dave)[1].startswith("nothing has run at province since 2026-11-21 09:00")


def test_an_old_look_is_unknown_and_never_yes(core: Core, dave: Actor, clock: FrozenClock) -> None:
    a_system(core, "it", **PROOF)
    runs(core, "it", core.clock.now() - timedelta(days=40))
    clock.advance(48 * 3600)
    assert live(core, dave)[0] == "yes"
    clock.advance(1)
    value, why = live(core, dave)
    assert (value, why.startswith("it was last seen running at province")) == ("unknown", True)
    assert verified(core, dave) == (0, "0.00", 1, 0)


def test_looks_too_far_apart_are_unknown(core: Core, dave: Actor) -> None:
    a_system(core, "it", **PROOF)
    a_system(core, "too", **PROOF)
    runs(core, "it", core.clock.now() - timedelta(days=40), longest_gap_s=168 * 3600)
    runs(core, "too", core.clock.now() - timedelta(days=40), longest_gap_s=168 * 3600 + 1)
    assert live(core, dave)[0] == "yes"
    assert live(core, dave, "too") == (
        "unknown",
        "between two looks at province lay 168 hours; at most 168 are allowed",
    )


def test_a_cloud_that_nobody_can_look_at_makes_unknown_of_what_is_bound_there(
    core: Core, dave: Actor
) -> None:
    a_system(core, "it", **PROOF)
    a_system(core, "seen", **PROOF)
    bound(core, "it", "city-1")
    bound(core, "seen")
    a_system(core, "proof-of-looks", **PROOF)
    runs(core, "proof-of-looks", core.clock.now() - timedelta(days=40))
    assert live(core, dave) == ("unknown", "nobody could look at city-1 lately")
    assert live(core, dave, "seen") == ("no", "no look has found a running server of it")


def test_a_cloud_that_was_given_up_proves_nothing_any_more(core: Core, dave: Actor) -> None:
    a_system(core, "it", **PROOF)
    runs(core, "it", core.clock.now() - timedelta(days=40), site_id="city-1")
    assert live(core, dave)[0] == "yes"
    with core.store.write() as uow:
        uow.update(Site, Site.id == "city-1", retired_at=core.clock.now() - timedelta(days=1))
    assert live(core, dave) == ("no", "no look has found a running server of it")
    assert live(core, dave, on=date(2026, 11, 19))[0] == "yes", "it was there then"


def test_evidence_of_a_past_day_is_that_of_the_day(core: Core, dave: Actor) -> None:
    a_system(core, "it", **PROOF)
    now = core.clock.now()
    runs(core, "it", now - timedelta(days=90), now - timedelta(days=10))
    assert live(core, dave)[0] == "no"
    assert live(core, dave, on=date(2026, 11, 1))[0] == "yes"
    assert live(core, dave, on=date(2026, 9, 10))[0] == "no", "it had not run for long"
    assert live(core, dave, on=date(2026, 8, 1)) == ("no", "no look has found a running server of it")


# -- 假上云


def test_what_counts_as_moved_and_ran_nowhere_for_thirty_days_is_named(
    core: Core, dave: Actor, clock: FrozenClock
) -> None:
    now = core.clock.now()
    for key in ("ended", "never", "running", "of-late"):
        a_system(core, key, **PROOF)
    a_system(core, "not-moved")
    runs(core, "running", now - timedelta(days=60))
    runs(core, "ended", now - timedelta(days=60), now - timedelta(days=30))
    runs(core, "of-late", now - timedelta(days=60), now - timedelta(days=29))
    idle = evidence(core, dave, Listed(which="idle"))
    assert [(row["id"], row["state"]) for row in idle] == [("ended", "idle"), ("never", "idle")]
    assert verified(core, dave)[3] == 2


def test_nothing_is_idle_before_there_were_looks_for_so_long(core: Core, dave: Actor) -> None:
    a_system(core, "never", **PROOF)
    a_system(core, "runs", **PROOF)
    runs(core, "runs", core.clock.now() - timedelta(days=29))
    assert evidence(core, dave, Listed(which="idle")) == []
    assert verified(core, dave)[3] == 0


# -- the other pieces


def test_every_piece_says_why(core: Core, dave: Actor) -> None:
    a_system(core, "it", dr_tier=2, **MOVED)
    row = of_system(core, dave, "it")
    told = {
        one["name"]: (str(one["value"]), one["template"].format(**one["params"])) for one in row["evidence"]
    }
    assert told == {
        "live": ("no", "no look has found a running server of it"),
        "old_host_off": ("no", "no proof that the old host is off"),
        "proved_backup": ("unknown", "no restore has been proved yet"),
    }
    assert (row["state"], str(row["verified"]), row["weight_hundredths"]) == ("unverified", "no", 100)
    a_system(core, "off", **PROOF)
    [piece] = [one for one in of_system(core, dave, "off")["evidence"] if one["name"] == "old_host_off"]
    assert piece["template"].format(**piece["params"]) == "the old host went off on 2026-01-01"


def test_what_is_left_out_names_its_document(core: Core, dave: Actor) -> None:
    a_system(core, "exempt", stage="exempt", exempt_until=date(2026, 12, 31))
    a_system(core, "secret", is_classified=True, has_decision=True)
    a_system(core, "gone", life_state="merged")
    a_system(core, "ministry", is_centrally_built=True)
    with core.store.write() as uow:
        one = uow.need(InformationSystem, "exempt")
        one.details = {"exempt_document": "桂数〔2026〕3号", "exempt_clause": "第五条"}
        one.exempt_until = date(2026, 12, 31)
        uow.need(InformationSystem, "secret").details = {
            "decision_document": "桂保〔2026〕9号",
            "decision_on": "2026-02-03",
        }
        uow.need(InformationSystem, "gone").merged_into_id = "exempt"
    found = {row["id"]: (str(row["reason"]), row["ground"]) for row in evidence(core, dave, Listed())}
    assert found == {
        "exempt": (
            "exempt",
            {"document": "桂数〔2026〕3号", "clause": "第五条", "until": date(2026, 12, 31)},
        ),
        "secret": ("classified", {"document": "桂保〔2026〕9号", "day": "2026-02-03"}),
        "gone": ("merged", {"merged_into": "exempt"}),
        "ministry": ("centrally_built", None),
    }


# -- lists


def test_every_number_of_a_figure_has_its_list(core: Core, dave: Actor) -> None:
    now = core.clock.now()
    a_system(core, "proved", **PROOF)
    a_system(core, "unproved", **PROOF)
    a_system(core, "unknown", dr_tier=2, **PROOF)
    a_system(core, "waiting")
    a_system(core, "exempt", stage="exempt", exempt_until=date(2026, 12, 31))
    for key in ("proved", "unknown"):
        runs(core, key, now - timedelta(days=31))
    [row] = figures.rate(core, dave, scope="own:450000")
    lists = {
        which: [one["id"] for one in evidence(core, dave, Listed("own:450000", which))] for which in WHICH
    }
    assert lists == {
        "registered": ["exempt", "proved", "unknown", "unproved", "waiting"],
        "counted": ["proved", "unknown", "unproved", "waiting"],
        "moved": ["proved", "unknown", "unproved"],
        "to_move": ["waiting"],
        "verified": ["proved"],
        "unverified": ["unproved"],
        "unknown": ["unknown"],
        "idle": ["unproved"],
        "excluded": ["exempt"],
    }
    assert (row["registered"], row["denominator"], row["numerator"]) == (5, 4, 3)
    assert (row["verified"], row["unknown"], row["idle"]) == (1, 1, 1)
    states = {one["id"]: one["state"] for one in evidence(core, dave, Listed())}
    assert states == {
        "exempt": "excluded", "proved": "verified", "unknown": "unknown", "unproved": "idle",
        "waiting": "to_move",
    }  # fmt: skip


def test_lists_come_in_pages_however_many_pieces_they_are_read_in(
    core: Core, dave: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.migration.evidence._CHUNK", 2)
    for n in range(9):
        a_system(core, f"s{n}", **(PROOF if n % 3 == 0 else {}))
    first = evidence(core, dave, Listed(which="moved", limit=2))
    assert [row["id"] for row in first] == ["s0", "s3"]
    rest = evidence(core, dave, Listed(which="moved", limit=2, marker="s3"))
    assert [row["id"] for row in rest] == ["s6"]
    assert len(evidence(core, dave, Listed(limit=9))) == 9


def test_lists_show_only_systems_that_the_reader_may_see(core: Core, dave: Actor) -> None:
    a_system(core, "gx", **PROOF)
    a_system(core, "nn", "nn-qingxiu-edu", level="city", **PROOF)
    seen = {
        user: [row["id"] for row in evidence(core, an_actor(core, user), Listed())]
        for user in ("dave", "ivan", "alice", "erin", "frank", "heidi")
    }
    assert seen == {
        "dave": ["gx", "nn"], "ivan": ["gx", "nn"], "alice": ["gx"], "erin": ["nn"],
        "frank": ["nn"], "heidi": ["nn"],
    }  # fmt: skip
    with pytest.raises(NotFound):
        of_system(core, an_actor(core, "erin"), "gx")
    assert figures.rate(core, an_actor(core, "erin"))[0]["numerator"] == 2, "figures are for everybody"


def test_a_system_is_found_by_its_name_too_and_a_wrong_one_is_not_found(core: Core, dave: Actor) -> None:
    a_system(core, "it")
    assert of_system(core, dave, "系统it")["id"] == "it"
    for key in ("nothing", "系统"):
        with pytest.raises(NotFound):
            of_system(core, dave, key)
    with pytest.raises(NotFound):
        of_system(core, dave, "it", on=date(2019, 1, 1))
    with pytest.raises(BadInput):
        evidence(core, dave, Listed(which="everything"))
