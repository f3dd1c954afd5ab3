"""Exemptions (不宜上云): two people, a clause, a document and an end; the calendar keeps them."""

from typing import Any

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, NotFound, SecondPersonNeeded, WrongState
from cloudctl.models import AuditEvent, Exemption, InformationSystem, Notice
from cloudctl.worker import keep_house
from tenants.migration import course, exemptions
from tenants.migration.exemption_days import end_due
from tests.builders import a_person, a_province, an_actor
from tests.migrating import ASSETS, BUDGET, go, stage, today

DAY_S = 86_400
CLAUSE, DOCUMENT, REASON = "管理办法第十二条第二款", "桂数函〔2026〕9号", "专用硬件无法迁移"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def ask(core: Core, user: str = "bob", system: str = BUDGET, **changes: str) -> int:
    given = {
        "clause": CLAUSE, "document": DOCUMENT, "until": "2027-11-20", "reason": REASON, **changes,
    }  # fmt: skip
    return exemptions.ask(core, an_actor(core, user), system, **given)


def approved(core: Core, until: str = "2027-11-20") -> int:
    asked = ask(core, until=until)
    exemptions.approve(core, an_actor(core, "dave"), asked, "同意")
    return asked


def exemption(core: Core, exemption_id: int) -> Exemption:
    with core.store.read() as uow:
        return uow.need(Exemption, exemption_id)


def system(core: Core, system_id: str = BUDGET) -> InformationSystem:
    with core.store.read() as uow:
        return uow.need(InformationSystem, system_id)


def told(core: Core, user: str) -> list[str]:
    with core.store.read() as uow:
        rows = uow.all(Notice, Notice.user_id == user, order_by=[Notice.id])
    return [row.template.format(**row.params) for row in rows]


def refused(core: Core, **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as error:
        ask(core, **changes)
    with core.store.read() as uow:
        assert uow.count(Exemption) == 0
    return {(fault.place, fault.code) for fault in error.value.faults}


# -- asking


def test_an_asked_exemption_changes_nothing_until_somebody_decides(core: Core) -> None:
    asked = ask(core)
    assert stage(core) == "registered"
    assert exemption(core, asked).state == "asked"
    assert told(core, "dave") == ["王博 asks that 预算管理一体化系统 need not move until 2027-11-20"]


def test_all_that_is_missing_is_named_at_once(core: Core) -> None:
    assert refused(core, clause=" ", document="", until="", reason="") == {
        ("clause", "missing"), ("document", "missing"), ("until", "missing"), ("reason", "missing"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("until", "code"),
    [
        ("2026-11-21", "past_date"),
        ("2020-01-01", "past_date"),
        ("2029-11-22", "too_far"),
        ("2029-02-29", "bad_date"),
        ("长期", "bad_date"),
    ],
)
def test_an_exemption_ends_within_three_years(core: Core, until: str, code: str) -> None:
    assert refused(core, until=until) == {("until", code)}


def test_three_years_to_the_day_are_allowed(core: Core) -> None:
    assert str(exemption(core, ask(core, until="2029年11月21日")).until) == "2029-11-21"


def test_texts_have_an_end(core: Core) -> None:
    assert refused(core, clause="x" * 201, reason="x" * 1001) == {
        ("clause", "too_long"),
        ("reason", "too_long"),
    }


def test_a_classified_system_needs_none(core: Core) -> None:
    assert refused(core, system="gx-finance-secret") == {("system", "classified")}


def test_a_system_on_the_cloud_cannot_be_exempt(core: Core) -> None:
    go(core, "try")
    with pytest.raises(WrongState):
        ask(core)


def test_a_system_waits_for_one_decision_at_a_time(core: Core) -> None:
    ask(core)
    with pytest.raises(Conflict):
        ask(core)


@pytest.mark.parametrize(
    ("user", "error"), [("alice", NotAllowed), ("grace", NotFound), ("ivan", NotAllowed)]
)
def test_who_does_not_answer_for_the_system_asks_nothing(
    core: Core, user: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(core, user=user)


# -- deciding


def test_an_approval_makes_the_system_exempt_with_clause_document_and_day(core: Core) -> None:
    asked = approved(core)
    row = system(core)
    assert (row.stage, str(row.exempt_until)) == ("exempt", "2027-11-20")
    assert (row.details["exempt_clause"], row.details["exempt_document"]) == (CLAUSE, DOCUMENT)
    found = exemption(core, asked)
    assert (found.state, found.decided_by, found.opinion) == ("approved", "dave", "同意")
    assert told(core, "bob") == ["预算管理一体化系统 need not move until 2027-11-20"]


def test_nobody_decides_what_they_asked_for_in_whatever_role(core: Core) -> None:
    asked = ask(core, user="dave")
    for decide in (exemptions.approve, exemptions.reject):
        with pytest.raises(SecondPersonNeeded):
            decide(core, an_actor(core, "dave"), asked, "同意")
    bob = a_person(core, "bob", Role.PROVINCE_ADMIN, INSTALLATION)  # a second hat on the same head
    other = ask(core, user="bob", system=ASSETS)
    with pytest.raises(SecondPersonNeeded):
        exemptions.approve(core, bob, other)
    assert stage(core) == stage(core, ASSETS) == "registered"


@pytest.mark.parametrize("user", ["bob", "carol", "frank", "ivan", "alice"])
def test_only_the_province_decides(core: Core, user: str) -> None:
    asked = ask(core, user="dave")
    with pytest.raises((NotAllowed, NotFound)):
        exemptions.approve(core, an_actor(core, user), asked)
    assert stage(core) == "registered"


def test_a_rejection_says_why(core: Core) -> None:
    asked = ask(core)
    with pytest.raises(BadInput):
        exemptions.reject(core, an_actor(core, "dave"), asked, "  ")
    exemptions.reject(core, an_actor(core, "dave"), asked, "硬件可改造")
    assert exemption(core, asked).state == "rejected"
    assert told(core, "bob") == ["the exemption of 预算管理一体化系统 was rejected by 戴伟: 硬件可改造"]
    assert stage(core) == "registered"


def test_what_was_decided_is_not_decided_again(core: Core) -> None:
    asked = approved(core)
    for decide in (exemptions.approve, exemptions.reject):
        with pytest.raises(WrongState):
            decide(core, an_actor(core, "dave"), asked, "x")


def test_a_decision_that_came_after_the_day_is_none(core: Core, clock: FrozenClock) -> None:
    asked = ask(core, until="2026-11-25")
    clock.advance(5 * DAY_S)
    with pytest.raises(WrongState):
        exemptions.approve(core, an_actor(core, "dave"), asked)


def test_a_system_that_moved_on_meanwhile_is_not_made_exempt(core: Core) -> None:
    asked = ask(core)
    go(core, "try")
    with pytest.raises(WrongState):
        exemptions.approve(core, an_actor(core, "dave"), asked)
    assert (stage(core), exemption(core, asked).state) == ("trial", "asked")


def test_only_the_asker_takes_it_back_and_only_before_the_decision(core: Core) -> None:
    asked = ask(core)
    with pytest.raises(NotAllowed):
        exemptions.withdraw(core, an_actor(core, "dave"), asked)
    exemptions.withdraw(core, an_actor(core, "bob"), asked)
    assert exemption(core, asked).state == "withdrawn"
    with pytest.raises(WrongState):
        exemptions.approve(core, an_actor(core, "dave"), asked)
    assert ask(core) != asked


def test_a_revoked_exemption_says_why_and_the_system_has_to_move_again(core: Core) -> None:
    asked = approved(core)
    dave = an_actor(core, "dave")
    with pytest.raises(BadInput):
        exemptions.revoke(core, dave, asked, "")
    with pytest.raises(NotAllowed):
        exemptions.revoke(core, an_actor(core, "bob"), asked, "x")
    exemptions.revoke(core, dave, asked, "条件已变化")
    row = system(core)
    assert (row.stage, row.exempt_until) == ("classified", None)
    assert exemption(core, asked).state == "revoked"
    assert "条件已变化" in told(core, "bob")[-1]


# -- the calendar


def test_an_exemption_holds_on_its_last_day_and_not_on_the_next(core: Core, clock: FrozenClock) -> None:
    asked = approved(core, until="2027-01-31")
    clock.advance((31 + 30 + 10) * DAY_S)
    assert str(today(core)) == "2027-01-31"
    assert end_due(core) == 0
    assert stage(core) == "exempt"
    clock.advance(DAY_S)
    assert end_due(core) == 1
    row = system(core)
    assert (row.stage, row.exempt_until) == ("classified", None)
    assert exemption(core, asked).state == "ended"
    assert (
        told(core, "bob")[-1] == "the exemption of 预算管理一体化系统 has ended on 2027-01-31: it has to move"
    )
    assert end_due(core) == 0


def test_the_worker_ends_exemptions_when_it_keeps_house(core: Core, clock: FrozenClock) -> None:
    approved(core, until="2026-11-22")
    keep_house(core)
    assert stage(core) == "exempt"
    clock.advance(2 * DAY_S)
    keep_house(core)
    assert stage(core) == "classified"


def test_owners_are_warned_thirty_days_before_and_once(core: Core, clock: FrozenClock) -> None:
    approved(core, until="2027-01-31")
    clock.advance((31 + 30 + 10 - 31) * DAY_S)
    end_due(core)
    assert len(told(core, "bob")) == 1
    clock.advance(DAY_S)
    for _ in range(3):
        end_due(core)
        clock.advance(DAY_S)
    warnings = [text for text in told(core, "bob") if "ends on 2027-01-31" in text]
    assert len(warnings) == 1


def test_a_system_without_a_decision_comes_back_all_the_same(core: Core, clock: FrozenClock) -> None:
    with core.store.write() as uow:
        uow.update(
            InformationSystem, InformationSystem.id == BUDGET, stage="exempt", exempt_until=today(core)
        )
    assert end_due(core) == 0
    clock.advance(DAY_S)
    assert end_due(core) == 1
    assert stage(core) == "classified"


def test_a_retired_systems_exemption_ends_without_touching_the_system(core: Core, clock: FrozenClock) -> None:
    asked = approved(core, until="2026-12-31")
    course.advance(core, an_actor(core, "bob"), BUDGET, "retire", {}, "停用")
    clock.advance(60 * DAY_S)
    end_due(core)
    assert stage(core) == "retired"
    assert exemption(core, asked).state == "ended"


def test_an_exemption_is_renewed_before_it_ends(core: Core, clock: FrozenClock) -> None:
    first = approved(core, until="2026-12-31")
    second = ask(core, until="2027-12-31", document="桂数函〔2026〕88号")
    exemptions.approve(core, an_actor(core, "dave"), second)
    assert exemption(core, first).state == "ended"
    row = system(core)
    assert (row.stage, str(row.exempt_until)) == ("exempt", "2027-12-31")
    clock.advance(60 * DAY_S)
    assert end_due(core) == 0
    assert stage(core) == "exempt"


# -- on record


def test_every_step_is_in_the_audit_chain(core: Core) -> None:
    asked = approved(core)
    exemptions.revoke(core, an_actor(core, "dave"), asked, "条件已变化")
    with core.store.read() as uow:
        events = uow.all(AuditEvent, AuditEvent.subject_kind == "exemption", order_by=[AuditEvent.seq])
    assert [(one.actor, one.action) for one in events] == [
        ("bob", "exemption.ask"), ("dave", "exemption.approve"), ("dave", "exemption.revoke"),
    ]  # fmt: skip
    assert core.audit.verify(core.store).is_intact


def test_an_error_in_the_middle_leaves_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(core)
    monkeypatch.setattr(exemptions, "keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exemptions.approve(core, an_actor(core, "dave"), asked)
    assert exemption(core, asked).state == "asked"
    assert stage(core) == "registered"
