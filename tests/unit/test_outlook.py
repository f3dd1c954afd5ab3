"""Looking ahead from frozen months, and asking about figures that jumped since the last of them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from cloudctl.actors import Actor
from cloudctl.core import Core
from tenants.migration import archive, outlook, rules, snapshots
from tenants.migration.rule import DEFAULT, as_document, read
from tests.builders import an_actor
from tests.counted_register import MOVED, a_province_without_systems, a_system, a_target, then

OWN, PROVINCE = "own:450000", "division:450000"


@pytest.fixture
def dave(core: Core) -> Actor:
    a_province_without_systems(core)
    for n in range(10):
        a_system(core, f"s{n}", **(MOVED if n < 4 else {}))
    return an_actor(core, "dave")


def move(core: Core, key: str, at: datetime) -> None:
    then(core, key, at, **MOVED)


def months(core: Core, dave: Actor) -> None:
    """March to October, one system more each month from July on; counted by a rule that somebody applied."""
    rules.apply(core, dave, read({**as_document(DEFAULT), "name": "gx"}))
    for n, month in enumerate(range(7, 11)):
        move(core, f"s{4 + n}", datetime(2026, month, 10, tzinfo=UTC))
    for month in range(3, 11):
        snapshots.take(core, dave, f"2026-{month:02d}")


def test_the_forecast_is_out_of_the_frozen_months(core: Core, dave: Actor) -> None:
    months(core, dave)
    a_target(core, PROVINCE, 9500, date(2026, 12, 31))
    row = outlook.predict(core, dave)
    assert (row["rate"], row["state"], row["still_to_move"], row["pace_needed"]) == ("80.00", "at_risk", 2, 1)
    assert (row["pace_so_far"], row["months"], row["why"]) == ("0.57", 8, None)
    assert float(row["low_rate"]) < float(row["expected_rate"]) < float(row["high_rate"])
    assert row["expected_rate"] == "91.42"
    assert row["reached_in"] == "2027-01"
    assert [one["rate"] for one in row["history"]][-5:] == ["40.00", "50.00", "60.00", "70.00", "80.00"]
    reached = outlook.predict(core, dave, target=8000)
    assert (reached["state"], reached["pace_needed"]) == ("reached", 0)


def test_a_target_is_on_track_at_risk_or_behind_by_the_whole_interval(core: Core, dave: Actor) -> None:
    rules.apply(core, dave, read({**as_document(DEFAULT), "name": "gx"}))
    for n in range(60):
        key = a_system(core, f"w{n:02d}")
        if n < 48:
            move(core, key, datetime(2026, 3 + n // 6, 10, tzinfo=UTC))
    for month in range(3, 11):
        snapshots.take(core, dave, f"2026-{month:02d}")
    deadline = date(2026, 12, 31)
    states = {
        target: outlook.predict(core, dave, target=target, deadline=deadline)["state"]
        for target in (7400, 7500, 8000, 9100, 10_000)
    }
    row = outlook.predict(core, dave, target=7500, deadline=deadline)
    assert (row["rate"], row["expected_rate"]) == ("74.28", "91.42")
    assert states == {
        7400: "reached", 7500: "on_track", 8000: "on_track", 9100: "at_risk", 10_000: "behind",
    }  # fmt: skip


def test_what_cannot_be_said_is_null_and_says_why(core: Core, dave: Actor) -> None:
    row = outlook.predict(core, dave)
    assert (row["expected_rate"], row["why"], row["pace_needed"]) == (None, "no_target", None)
    row = outlook.predict(core, dave, target=9500, deadline=date(2026, 12, 31))
    assert (row["why"], row["state"], row["pace_needed"]) == ("too_short", "behind", 3)
    assert row["template"].format(**row["params"]) == "fewer than 4 frozen months by this rule: 0"
    months(core, dave)
    row = outlook.predict(core, dave, target=9500, deadline=date(2026, 10, 31))
    assert (row["why"], row["state"]) == ("deadline_passed", "overdue")
    empty = outlook.predict(core, dave, "division:450100", 9500, date(2026, 12, 31))
    assert (empty["rate"], empty["state"], empty["why"]) == (None, None, "too_short")


def test_part_of_a_month_and_another_version_of_the_rule_are_no_history(core: Core, dave: Actor) -> None:
    months(core, dave)
    snapshots.take(core, dave, "2026-11")
    assert outlook.predict(core, dave)["history"][-1]["month"] == "2026-10"
    rules.apply(core, dave, read({**as_document(DEFAULT), "name": "gx", "live_days": 7}), use=True)
    assert outlook.predict(core, dave)["months"] == 0
    assert outlook.predict(core, dave, rule="gx@1")["months"] == 8


def test_a_corrected_month_counts_as_corrected(core: Core, dave: Actor) -> None:
    months(core, dave)
    move(core, "s9", datetime(2026, 10, 20, tzinfo=UTC))
    snapshots.take(core, dave, "2026-10", reason="补报")
    assert outlook.predict(core, dave)["history"][-1]["rate"] == "90.00"


def test_shares_that_jump_are_flagged_live_and_in_the_snapshot(core: Core, dave: Actor) -> None:
    for n in range(20):
        a_system(core, f"t{n:02d}", **(MOVED if n < 10 else {}))
    a_target(core, OWN, 6000, date(2026, 12, 31))
    snapshots.take(core, dave, "2026-10")
    assert outlook.flags(core, dave) == []
    for n in range(10, 18):
        exempt = {"stage": "exempt", "exempt_until": date(2027, 12, 31)}
        then(core, f"t{n:02d}", core.clock.now() - timedelta(days=1), **exempt)
    flags = outlook.flags(core, dave)
    assert [(row["scope"], row["state"]) for row in flags] == [
        ("department:gx-finance", "exclusion_jump"),
        (PROVINCE, "exclusion_jump"),
        (OWN, "reached_by_subtraction"),
        (OWN, "exclusion_jump"),
    ]
    assert flags[0]["compared_with"] == "2026-10 default r1"
    assert [row["scope"] for row in outlook.flags(core, dave, scope="department:gx-finance")][:1] == [
        "department:gx-finance"
    ]
    assert outlook.flags(core, dave, scope="division:450100") == []
    snapshots.take(core, dave, "2026-11")
    shown = archive.show_snapshot(core, dave, "2026-11")
    assert shown["compared_with"] == "2026-10 default r1"
    assert {(row["scope"], row["state"]) for row in shown["flags"]} == {
        (row["scope"], row["state"]) for row in flags if not row["scope"].startswith("department")
    }
    assert archive.show_snapshot(core, dave, "2026-10")["flags"] == []
