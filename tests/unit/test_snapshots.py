"""Frozen months: what is frozen stays, a correction is another revision, nothing changes unseen."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, NotFound
from cloudctl.models import AuditEvent, RateFigure, RateSnapshot, StatisticalRule
from tenants.migration import archive, figures, frozen, rules, snapshots
from tenants.migration.rule import DEFAULT, as_document, read
from tests.builders import an_actor
from tests.counted_register import MOVED, a_province_without_systems, a_system, a_target, then

OWN, PROVINCE = "own:450000", "division:450000"
JULY = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def dave(core: Core) -> Actor:
    a_province_without_systems(core)
    for n in range(10):
        a_system(core, f"s{n}", **(MOVED if n < 4 else {}))
    return an_actor(core, "dave")


def move(core: Core, key: str, at: datetime) -> None:
    then(core, key, at, **MOVED)


def rate_of(core: Core, actor: Actor, key: str, scope: str = OWN) -> Any:
    [row] = [
        one for one in archive.show_snapshot(core, actor, key, scope)["figures"] if one["group"] == "all"
    ]
    return row["rate"]


def refused(core: Core, actor: Actor, month: str, reason: str = "") -> str:
    with pytest.raises(BadInput) as error:
        snapshots.take(core, actor, month, reason=reason)
    return error.value.faults[0].text()


# -- taking


def test_a_month_is_frozen_as_it_ended(core: Core, dave: Actor) -> None:
    move(core, "s4", datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC))  # the last second of October in Beijing
    move(core, "s5", datetime(2026, 10, 31, 16, tzinfo=UTC))
    key = snapshots.take(core, dave, "2026-10")
    shown = archive.show_snapshot(core, dave, str(key))
    assert (shown["name"], shown["state"], shown["rule"]) == ("2026-10 default r1", "valid", "default@1")
    assert shown["cut_off_at"] == datetime(2026, 10, 31, 15, 59, 59, 999_999, tzinfo=UTC)
    assert rate_of(core, dave, "2026-10") == "50.00"
    assert [row["scope"] for row in shown["figures"]] == [PROVINCE, OWN, "division:450100"]
    assert shown["figures"][0]["on"] == date(2026, 10, 31)


def test_the_month_that_goes_on_is_frozen_as_it_is_now(core: Core, dave: Actor) -> None:
    snapshots.take(core, dave, "2026-11")
    assert archive.show_snapshot(core, dave, "latest")["cut_off_at"] == core.clock.now()


def test_what_was_frozen_stays_whatever_becomes_of_the_register_the_rule_and_the_targets(
    core: Core, dave: Actor
) -> None:
    snapshots.take(core, dave, "2026-10")
    before = archive.show_snapshot(core, dave, "2026-10", OWN)
    move(core, "s6", JULY)  # entered too late
    rules.apply(core, dave, read({**as_document(DEFAULT), "name": "gx", "levels": ["county"]}), use=True)
    a_target(core, OWN, 9500, date(2026, 12, 31))
    after = archive.show_snapshot(core, dave, "2026-10", OWN)
    targets = ("state", "target", "deadline", "still_to_move")
    for row in (*before["figures"], *after["figures"]):
        for name in targets:  # the target is shown as it stood on the day; this one was set a year before
            row.pop(name)
    assert after == before


def test_a_correction_is_the_next_revision_and_needs_a_reason(core: Core, dave: Actor) -> None:
    first = snapshots.take(core, dave, "2026-10")
    move(core, "s6", JULY)
    assert refused(core, dave, "2026-10") == "2026-10 is frozen; another snapshot of it needs a reason"
    assert refused(core, dave, "2026-10", "  ") == "2026-10 is frozen; another snapshot of it needs a reason"
    second = snapshots.take(core, dave, "2026-10", reason="漏报一个系统")
    rows = archive.list_snapshots(core, dave)
    assert [(row["id"], row["revision"], row["state"], row["reason"]) for row in rows] == [
        (second, 2, "valid", "漏报一个系统"),
        (first, 1, "superseded", ""),
    ]
    assert (rate_of(core, dave, str(first)), rate_of(core, dave, str(second))) == ("40.00", "50.00")
    assert rate_of(core, dave, "2026-10") == "50.00", "a month is its newest revision"


def test_no_month_is_counted_again_by_another_rule_without_a_reason(core: Core, dave: Actor) -> None:
    snapshots.take(core, dave, "2026-10")
    document = {**as_document(DEFAULT), "name": "gx", "stages": ["registered", "accepted"]}
    rules.apply(core, dave, read(document), use=True)
    assert "needs a reason" in refused(core, dave, "2026-10")
    snapshots.take(core, dave, "2026-10", reason="按新口径试算")
    names = [(row["name"], row["state"]) for row in archive.list_snapshots(core, dave, "2026-10")]
    assert names == [("2026-10 gx r1", "valid"), ("2026-10 default r1", "valid")]


@pytest.mark.parametrize(
    ("month", "words"),
    [
        ("2026-12", "2026-12 lies ahead; today is 2026-11-21"),
        ("1999-12", "1999-12 lies before 2000-01-01"),
        ("2026-13", "'2026-13' is no month (write 2026-11)"),
        ("2026-1", "'2026-1' is no month (write 2026-11)"),
        ("２０26-11", "'２０26-11' is no month (write 2026-11)"),
        ("", "'' is no month (write 2026-11)"),
    ],
)
def test_a_month_that_cannot_be_frozen_is_refused(core: Core, dave: Actor, month: str, words: str) -> None:
    assert refused(core, dave, month) == words


def test_a_reason_has_an_end(core: Core, dave: Actor) -> None:
    assert "at most 500" in refused(core, dave, "2026-10", "长" * 501)


def test_two_at_once_cannot_both_be_the_next(
    core: Core, dave: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = frozen.pack

    def somebody_is_faster(*args: Any) -> bytes:
        monkeypatch.undo()
        snapshots.take(core, dave, "2026-10", reason="先到")
        return pack(*args)

    monkeypatch.setattr(frozen, "pack", somebody_is_faster)
    with pytest.raises(Conflict, match="taken meanwhile"):
        snapshots.take(core, dave, "2026-10", reason="后到")
    assert [row["reason"] for row in archive.list_snapshots(core, dave)] == ["先到"]


def test_freezing_needs_the_right_and_reading_is_for_everybody(core: Core, dave: Actor) -> None:
    for user in ("alice", "carol", "frank", "ivan", "sam"):
        with pytest.raises(NotAllowed):
            snapshots.take(core, an_actor(core, user), "2026-10")
    snapshots.take(core, dave, "2026-10")
    alice = an_actor(core, "alice")
    assert archive.show_snapshot(core, alice, "2026-10") == archive.show_snapshot(core, dave, "2026-10")
    with pytest.raises(NotAllowed):
        archive.list_snapshots(core, an_actor(core, "sam"))
    for key in ("2026-09", "99", "newest", ""):
        with pytest.raises(NotFound):
            archive.show_snapshot(core, alice, key)


# -- the list


def test_the_list_is_frozen_with_every_systems_verdict_and_evidence(core: Core, dave: Actor) -> None:
    a_system(core, "x", "nn-qingxiu-edu", level="county")
    snapshots.take(core, dave, "2026-10")
    rows = archive.systems_of(core, dave, "2026-10")
    assert [row["id"] for row in rows] == [*(f"s{n}" for n in range(10)), "x"]
    assert rows[0] == {
        "id": "s0", "name": "系统s0", "state": "no", "department": "gx-finance", "division": "450000",
        "stage": "accepted", "level": "province", "mlps_level": 2, "new": False, "reason": None,
        "weight_hundredths": 100, "verified": "no", "idle": False,
        "evidence": {"live": "no", "old_host_off": "no"},
    }  # fmt: skip
    assert (rows[-1]["reason"], rows[-1]["weight_hundredths"], rows[-1]["state"]) == ("other_level", 0, None)
    assert "evidence" not in rows[4]


def test_the_list_shows_only_what_the_reader_may_see_and_comes_in_pages(core: Core, dave: Actor) -> None:
    a_system(core, "x", "nn-qingxiu-edu", level="city")
    snapshots.take(core, dave, "2026-10")

    def ids(user: str, **asked: Any) -> list[str]:
        return [row["id"] for row in archive.systems_of(core, an_actor(core, user), "latest", **asked)]

    assert ids("erin") == ids("dave", scope="division:450100") == ids("frank") == ["x"]
    assert ids("dave", scope="department:nn-qingxiu-edu") == ids("dave", scope="own:450103") == ["x"]
    assert ids("dave", scope="own:450100") == []
    assert ids("alice", limit=2) == ["s0", "s1"]
    assert ids("alice", limit=2, marker="s8") == ["s9"]
    assert len(ids("dave", scope=PROVINCE)) == 11


def test_two_snapshots_differ_in_what_came_went_or_counts_otherwise(core: Core, dave: Actor) -> None:
    snapshots.take(core, dave, "2026-09")
    move(core, "s9", datetime(2026, 10, 5, tzinfo=UTC))
    a_system(core, "x", "nn-qingxiu-edu", level="city", valid_from=datetime(2026, 10, 6, tzinfo=UTC))
    snapshots.take(core, dave, "2026-10")
    came, back = (
        archive.differences(core, dave, *months)
        for months in (("2026-09", "2026-10"), ("2026-10", "2026-09"))
    )
    assert [(row["id"], row["what"]) for row in came] == [("s9", "changed"), ("x", "new")]
    assert [(row["id"], row["what"]) for row in back] == [("s9", "changed"), ("x", "gone")]
    assert came[0]["before"]["weight_hundredths"] == 0
    assert came[0]["now"]["weight_hundredths"] == 100
    assert came[1]["before"] is None
    assert came[1]["now"]["department"] == "nn-qingxiu-edu"
    assert archive.differences(core, dave, "2026-10", "2026-10") == []
    erin = an_actor(core, "erin")
    assert [row["id"] for row in archive.differences(core, erin, "2026-09", "2026-10")] == ["x"]


# -- verifying


def found(core: Core, actor: Actor) -> list[tuple[str, str]]:
    return [(fault.place, fault.code) for fault in snapshots.verify(core, actor)]


@pytest.fixture
def three(core: Core, dave: Actor) -> list[int]:
    return [snapshots.take(core, dave, month) for month in ("2026-08", "2026-09", "2026-10")]


def test_what_was_frozen_verifies_for_everybody(core: Core, dave: Actor, three: list[int]) -> None:
    assert found(core, an_actor(core, "alice")) == []
    with pytest.raises(NotAllowed):
        snapshots.verify(core, an_actor(core, "sam"))


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "别的"},
        {"month": "2026-07"},
        {"revision": 3},
        {"made_by": "bob"},
        {"made_at": JULY},
        {"cut_off_at": JULY},
        {"systems": b""},
    ],
    ids=str,
)
def test_a_changed_snapshot_is_named(
    core: Core, dave: Actor, three: list[int], changes: dict[str, Any]
) -> None:
    with core.store.write() as uow:
        uow.update(RateSnapshot, RateSnapshot.id == three[1], **changes)
    [(place, code)] = found(core, dave)
    month, revision = changes.get("month", "2026-09"), changes.get("revision", 1)
    assert place == f"{month} r{revision} default@1"
    assert code == ("unreadable" if "systems" in changes else "changed")


@pytest.mark.parametrize(
    "changes",
    [
        {"numerator_hundredths": 900},
        {"denominator": 9},
        {"verified_hundredths": 100},
        {"registered": 11},
        {"unknown": 1},
        {"idle": 1},
        {"excluded": {"exempt": 1}},
        {"scope": "own:450100"},
    ],
    ids=str,
)
def test_a_changed_figure_is_named(
    core: Core, dave: Actor, three: list[int], changes: dict[str, Any]
) -> None:
    with core.store.write() as uow:
        one = (RateFigure.snapshot_id == three[2], RateFigure.scope == OWN, RateFigure.group == "all")
        assert uow.update(RateFigure, *one, **changes) == 1
    assert found(core, dave) == [("2026-10 r1 default@1", "changed")]


def test_a_figure_that_is_gone_and_a_rule_that_changed_are_named(
    core: Core, dave: Actor, three: list[int]
) -> None:
    with core.store.write() as uow:
        uow.delete(RateFigure, RateFigure.snapshot_id == three[0], RateFigure.scope == OWN)
    assert found(core, dave) == [("2026-08 r1 default@1", "changed")]
    with core.store.write() as uow:
        uow.update(StatisticalRule, StatisticalRule.id > 0, document={**as_document(DEFAULT), "live_days": 1})
    assert len(found(core, dave)) == 3


def test_a_snapshot_that_is_gone_breaks_the_chain_and_the_audit_chain_knows_it(
    core: Core, dave: Actor, three: list[int]
) -> None:
    with core.store.write() as uow:
        uow.delete(RateFigure, RateFigure.snapshot_id == three[1])
        uow.delete(RateSnapshot, RateSnapshot.id == three[1])
    assert found(core, dave) == [("2026-10 r1 default@1", "broken_link"), (f"snapshot {three[1]}", "missing")]


def test_a_chain_that_was_written_anew_is_not_what_the_audit_chain_says(
    core: Core, dave: Actor, three: list[int]
) -> None:
    with core.store.write() as uow:
        row = uow.need(RateSnapshot, three[2])
        rule = uow.need(StatisticalRule, row.rule_id)
        row.reason = "别的"
        content = snapshots._frozen(row, rule, snapshots.figures_of(uow, row.id))
        row.sha256 = frozen.sha256(content)
    assert found(core, dave) == [("2026-10 r1 default@1", "rewritten")]
    with core.store.write() as uow:
        uow.update(AuditEvent, AuditEvent.subject_id == str(three[2]), action="else")
    assert found(core, dave) == [("2026-10 r1 default@1", "unwitnessed")]


def test_frozen_figures_are_those_of_the_day(core: Core, dave: Actor) -> None:
    a_system(core, "x", "nn-qingxiu-edu", level="city", mlps_level=3, **MOVED)
    snapshots.take(core, dave, "2026-10")
    for scope in (PROVINCE, OWN, "division:450100", "division:450103", "department:nn-qingxiu-edu"):
        frozen = archive.show_snapshot(core, dave, "2026-10", scope)["figures"]
        for by in ("all", "mlps", "level"):
            live = figures.rate(core, dave, scope, by, on=date(2026, 10, 31))
            assert [row for row in frozen if row["group"].startswith(by)] == live, (scope, by)
