"""A system moves along the stage table: what it has to show, who may, and what is never possible."""

from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, NotAllowed, NotFound, Refused, WrongState
from cloudctl.models import AuditEvent, InformationSystem, Notice
from tenants.migration import course
from tenants.register.history import history
from tenants.register.records import record_of
from tests.builders import a_person, a_project, a_province, a_resource, an_actor
from tests.migrating import AGREEMENT, ASSETS, BUDGET, DECISION, REPORT, WAY, bind, go, stage

ENROLL = "nn-qingxiu-edu-enroll"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def record(core: Core, system: str = BUDGET) -> dict[str, Any]:
    with core.store.read() as uow:
        return record_of(uow.need(InformationSystem, system))


def advance(core: Core, event: str, user: str = "bob", reason: str = "", **shown: str) -> str:
    return course.advance(core, an_actor(core, user), BUDGET, event, shown, reason)


def faults(error: CloudctlError) -> set[tuple[str, str]]:
    return {(fault.place, fault.code) for fault in error.faults}


def refused(core: Core, event: str, reason: str = "", **shown: str) -> set[tuple[str, str]]:
    """The faults of an event that must not be possible; nothing was changed by it."""
    before = record(core)
    with pytest.raises(BadInput) as error:
        advance(core, event, reason=reason, **shown)
    assert record(core) == before
    return faults(error.value)


# -- the way


def test_a_system_goes_from_register_to_done_and_shows_what_each_stage_asks(core: Core) -> None:
    go(core, "finish")
    found = record(core)
    assert found["stage"] == "done"
    shown = {name: text for _, each in WAY for name, text in each.items()}
    assert {name: str(found[name]) for name in shown} == shown
    assert found["hosting"] == "gov_cloud"


def test_every_move_is_in_the_audit_chain_with_what_was_shown(core: Core) -> None:
    go(core, "assess")
    with core.store.read() as uow:
        events = uow.all(AuditEvent, AuditEvent.subject_id == BUDGET, order_by=[AuditEvent.seq])
    assert [one.action for one in events] == ["migration.classify", "migration.assess"]
    changes = {"stage": ["classified", "assessed"], "assessed_on": [None, "2026-04-01"]}
    assert events[1].details == {"changes": changes, "reason": ""}


def test_every_move_is_a_version_in_the_history_of_the_system(core: Core) -> None:
    go(core, "assess")
    with core.store.read() as uow:
        newest, before, *_ = history(uow, BUDGET)
    assert (newest.stage, newest.changed_by, newest.reason) == ("assessed", "bob", "assess")
    assert newest.valid_from == before.valid_to
    assert (before.stage, before.has_decision) == ("classified", True)


def test_a_stage_without_its_evidence_is_not_reached_and_all_that_is_missing_is_named(core: Core) -> None:
    assert refused(core, "classify") == {
        ("decision_document", "missing_evidence"),
        ("decision_on", "missing_evidence"),
        ("decision_reviewer", "missing_evidence"),
    }


def test_stages_cannot_be_skipped(core: Core) -> None:
    with pytest.raises(WrongState):
        advance(core, "accept", **REPORT)
    assert stage(core) == "registered"


def test_what_an_imported_stage_lacks_is_asked_with_the_next_event(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, stage="classified")
    assert ("decision_on", "missing_evidence") in refused(core, "assess", assessed_on="2026-04-01")
    advance(core, "assess", assessed_on="2026-04-01", **DECISION)
    assert stage(core) == "assessed"


def test_a_field_that_the_event_does_not_ask_for_is_refused(core: Core) -> None:
    assert refused(core, "classify", level="province", **DECISION) == {("level", "not_asked")}


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026年3月1日", "2026-03-01"), ("２０２６-03-01", "2026-03-01"), ("2026/3/1", "2026-03-01")],
)
def test_days_are_read_as_offices_write_them(core: Core, text: str, day: str) -> None:
    advance(core, "classify", **{**DECISION, "decision_on": text})
    assert str(record(core)["decision_on"]) == day


@pytest.mark.parametrize("text", ["2026-02-30", "March", "3", "2026-03-01 😀", "=TODAY()"])
def test_what_is_no_day_is_a_fault_of_its_field(core: Core, text: str) -> None:
    found = refused(core, "classify", **{**DECISION, "decision_on": text})
    assert ("decision_on", "bad_date") in found


def test_a_choice_may_be_said_in_chinese_and_an_unknown_one_is_a_fault(core: Core) -> None:
    go(core, "plan")
    assert ("agreement", "unknown_choice") in refused(core, "agree", **{**AGREEMENT, "agreement": "half"})
    advance(core, "agree", **{**AGREEMENT, "agreement": "部分"})
    assert record(core)["agreement"] == "partial"


def test_a_system_that_was_moved_is_the_registers_and_not_the_topology_files(core: Core) -> None:
    go(core, "classify")
    with core.store.read() as uow:
        assert uow.need(InformationSystem, BUDGET).origin == "register"


# -- dates


def test_a_future_date_is_refused(core: Core) -> None:
    found = refused(core, "classify", **{**DECISION, "decision_on": "2026-11-22"})
    assert found == {("decision_on", "future_date")}


def test_an_acceptance_dated_before_its_trial_is_refused(core: Core) -> None:
    go(core, "try")
    bind(core)
    assert refused(core, "accept", **{**REPORT, "accepted_on": "2026-07-31"}) == {
        ("accepted_on", "date_order")
    }


def test_a_trial_of_29_days_is_too_short_and_of_30_is_enough(core: Core) -> None:
    go(core, "try")
    bind(core)
    assert refused(core, "accept", **{**REPORT, "accepted_on": "2026-08-30"}) == {
        ("accepted_on", "trial_too_short")
    }
    advance(core, "accept", **{**REPORT, "accepted_on": "2026-08-31"})
    assert stage(core) == "accepted"


# -- acceptance


def test_an_acceptance_without_a_project_on_a_cloud_needs_the_hosting_said(core: Core) -> None:
    go(core, "try")
    assert refused(core, "accept", **REPORT) == {("hosting", "not_on_cloud")}
    a_project(core, BUDGET)  # planned only: nothing is bound yet
    assert refused(core, "accept", **REPORT) == {("hosting", "not_on_cloud")}
    advance(core, "accept", hosting="gov_cloud", **REPORT)
    assert record(core)["hosting"] == "gov_cloud"


def test_an_acceptance_sets_the_hosting_where_a_project_is_bound(core: Core) -> None:
    go(core, "accept")
    assert record(core)["hosting"] == "gov_cloud"


def test_an_acceptance_on_a_machine_of_ones_own_is_none(core: Core) -> None:
    go(core, "try")
    bind(core)
    assert refused(core, "accept", hosting="own_room", **REPORT) == {("hosting", "not_on_cloud")}


def test_a_revoked_acceptance_says_why_clears_what_it_showed_and_tells_the_owner(core: Core) -> None:
    go(core, "finish")
    dave = an_actor(core, "dave")
    with pytest.raises(BadInput) as error:
        course.advance(core, dave, BUDGET, "revoke", {})
    assert faults(error.value) == {("reason", "missing")}
    course.advance(core, dave, BUDGET, "revoke", {}, "抽查时无运行资源")
    found = record(core)
    assert found["stage"] == "trial"
    assert [found[name] for name in ("accepted_on", "report_document", "done_on")] == [None] * 3
    assert str(found["trial_from"]) == "2026-08-01"
    with core.store.read() as uow:
        [told] = uow.all(Notice, Notice.user_id == "bob")
    assert told.params["reason"] == "抽查时无运行资源"


def test_only_the_province_revokes(core: Core) -> None:
    go(core, "accept")
    for user in ("bob", "carol"):
        with pytest.raises(NotAllowed):
            advance(core, "revoke", user, "x")


def test_a_trial_that_failed_is_rolled_back_and_begins_anew(core: Core) -> None:
    go(core, "try")
    advance(core, "roll_back", reason="性能不达标")
    assert record(core)["trial_from"] is None
    advance(core, "try", trial_from="2026-09-01")
    assert str(record(core)["trial_from"]) == "2026-09-01"


# -- who may


@pytest.mark.parametrize(("user", "may"), [("bob", True), ("alice", False), ("ivan", False), ("dave", False)])
def test_the_owner_classifies(core: Core, user: str, may: bool) -> None:
    if may:
        advance(core, "classify", user, **DECISION)
    else:
        with pytest.raises(NotAllowed):
            advance(core, "classify", user, **DECISION)


def test_a_system_of_somebody_else_is_not_there(core: Core) -> None:
    with pytest.raises(NotFound):
        advance(core, "classify", "grace", **DECISION)
    with core.store.read() as uow, pytest.raises(NotFound):
        course.possible(uow, an_actor(core, "grace"), BUDGET)


def test_the_administrator_of_a_site_moves_systems_that_have_a_project_there(core: Core) -> None:
    go(core, "classify")
    with pytest.raises(NotAllowed):
        advance(core, "assess", "carol", assessed_on="2026-04-01")
    a_project(core, BUDGET)
    advance(core, "assess", "carol", assessed_on="2026-04-01")
    with pytest.raises(NotFound):
        advance(core, "plan", "heidi")  # of another site


def test_a_reviewer_of_the_division_of_the_system_moves_it(core: Core) -> None:
    judy = a_person(core, "judy", Role.DIVISION_REVIEWER, ("division", "450100"))
    course.advance(core, judy, ENROLL, "classify", DECISION)
    assert stage(core, ENROLL) == "classified"


# -- ends


def test_a_retired_system_says_so_in_both_places_and_only_the_province_restores_it(core: Core) -> None:
    go(core, "plan")
    assert refused(core, "retire") == {("reason", "missing")}
    advance(core, "retire", reason="职能取消")
    assert (record(core)["stage"], record(core)["life_state"]) == ("retired", "retired")
    with pytest.raises(NotAllowed):
        advance(core, "restore", reason="恢复")
    advance(core, "restore", "dave", reason="恢复")
    found = record(core)
    assert (found["stage"], found["life_state"]) == ("registered", "in_use")
    assert (found["assessed_on"], found["plan_document"]) == (None, None)
    assert found["decision_document"] == DECISION["decision_document"], "a decision stays true"


def test_a_system_that_holds_something_on_a_cloud_neither_retires_nor_merges(core: Core) -> None:
    a_resource(core, bind(core), {"instances": 1})
    assert refused(core, "retire", reason="x") == {("event", "still_in_use")}
    assert refused(core, "merge", merged_into=ASSETS) == {("event", "still_in_use")}


def test_two_systems_cannot_be_merged_into_each_other(core: Core) -> None:
    bob = an_actor(core, "bob")
    course.advance(core, bob, ASSETS, "merge", {"merged_into": BUDGET})
    assert stage(core, ASSETS) == "merged"
    assert refused(core, "merge", merged_into=ASSETS) == {("merged_into", "into_each_other")}


@pytest.mark.parametrize(
    ("into", "code"), [(BUDGET, "into_itself"), ("no-such", "unknown_system"), ("", "missing_evidence")]
)
def test_a_system_merges_into_another_that_there_is(core: Core, into: str, code: str) -> None:
    assert ("merged_into", code) in refused(core, "merge", merged_into=into)


def test_a_system_does_not_merge_into_one_that_has_ended(core: Core) -> None:
    course.advance(core, an_actor(core, "bob"), ASSETS, "retire", {}, "停用")
    assert refused(core, "merge", merged_into=ASSETS) == {("merged_into", "ended")}


def test_a_classified_system_is_counted_and_never_moves(core: Core) -> None:
    bob, secret = an_actor(core, "bob"), "gx-finance-secret"
    course.advance(core, bob, secret, "classify", DECISION)
    with pytest.raises(BadInput) as error:
        course.advance(core, bob, secret, "assess", {"assessed_on": "2026-04-01"})
    assert faults(error.value) == {("event", "classified")}
    assert stage(core, secret) == "classified"


def test_an_exemption_is_no_stage_that_one_person_can_move_to(core: Core) -> None:
    for event in ("exempt", "end_exemption"):
        with pytest.raises(Refused):
            advance(core, event, "dave")


# -- what is possible


def test_what_is_possible_is_what_the_person_may_with_the_fields_that_are_asked(core: Core) -> None:
    with core.store.read() as uow:
        mine = course.possible(uow, an_actor(core, "bob"), BUDGET)
        nothing = course.possible(uow, an_actor(core, "alice"), BUDGET)
    assert [one.event for one in mine] == ["classify", "retire", "merge"]
    assert [one.field.name for one in mine[0].asks if one.is_required] == list(DECISION)
    assert [one.field.name for one in mine[0].asks if not one.is_required] == ["network"]
    assert nothing == []


def test_every_event_of_every_stage_asks_for_fields_that_exist(core: Core) -> None:
    go(core, "accept")
    with core.store.read() as uow:
        steps = [one.as_json() for one in course.possible(uow, an_actor(core, "dave"), BUDGET)]
    assert [one["id"] for one in steps] == ["finish", "revoke"]
    assert steps[1]["needs_reason"] is True
    assert steps[0]["asks"][0] == {
        "id": "done_on",
        "name": "完成日期",
        "state": "required",
        "kind": "date",
        "choices": {},
        "value": None,
    }


def test_a_preview_writes_nothing(core: Core) -> None:
    changes = course.preview(core, an_actor(core, "bob"), BUDGET, "classify", DECISION)
    assert changes["stage"] == ["registered", "classified"]
    assert stage(core) == "registered"


def test_an_error_in_the_middle_leaves_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    before = record(core)
    monkeypatch.setattr(core.audit, "record", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        advance(core, "classify", **DECISION)
    assert record(core) == before


def test_a_system_that_somebody_else_has_moved_meanwhile_is_moved_once(core: Core) -> None:
    go(core, "classify")
    with pytest.raises(WrongState) as error:
        advance(core, "classify", **DECISION)
    assert error.value.params["possible"] == "assess, exempt, merge, retire"
    assert stage(core) == "classified"
