"""Who may decide what: each stage another person, never the requester, always on record."""

from typing import Any

import pytest

from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    OverQuota,
    Refused,
    SecondPersonNeeded,
    WrongState,
)
from cloudctl.models import (
    Approval,
    AuditEvent,
    Hold,
    InformationSystem,
    Notice,
    Operation,
    Resource,
    ServiceRequest,
    Site,
    SiteZone,
    User,
)
from cloudctl.queries import requests as queries
from tenants import approvals, ledger, requests
from tests.builders import (
    a_county_form,
    a_person,
    a_project,
    a_province,
    a_resource,
    a_vm_form,
    an_actor,
)
from tests.conftest import RecordingBell

FINANCE = ("department", "gx-finance")


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


def submit(core: Core, **changes: Any) -> int:
    return requests.submit(core, an_actor(core, "alice"), a_vm_form(**changes))


def approve(core: Core, who: str | Actor, number: int, opinion: str = "") -> None:
    approvals.approve(core, an_actor(core, who) if isinstance(who, str) else who, number, opinion)


def state(core: Core, number: int) -> str:
    with core.store.read() as uow:
        return uow.need(ServiceRequest, number).state


def test_the_last_approval_starts_the_work_and_rings_for_it(province: Core) -> None:
    number = submit(province)
    bell = province.bell
    assert isinstance(bell, RecordingBell)
    approve(province, "bob", number, "同意")
    assert (state(province, number), bell.rung) == ("awaiting_approval", [])
    approve(province, "carol", number)
    assert state(province, number) == "building"
    with province.store.read() as uow:
        [operation] = uow.all(Operation)
        request = uow.need(ServiceRequest, number)
        assert (operation.kind, operation.site_id, request.operation_id) == (
            "build",
            "province",
            operation.id,
        )
        assert request.expires_at is None
        assert operation.deadline_at is not None
        assert [(row.stage_name, row.verdict, row.decided_by, row.opinion) for row in uow.all(Approval)] == [
            ("department", "approved", "bob", "同意"),
            ("cloud", "approved", "carol", ""),
        ]
        actions = [event.action for event in uow.all(AuditEvent, order_by=[AuditEvent.seq])]
        assert actions == ["request.submit", "request.approve", "request.approve"]
    assert bell.rung == [operation.id]


def test_each_stage_tells_the_next_and_settles_the_one_before(province: Core) -> None:
    number = submit(province)
    approve(province, "bob", number)
    with province.store.read() as uow:
        waiting = uow.column(Notice.user_id, Notice.needs_action.is_(True), Notice.done_at.is_(None))
    assert waiting == ["carol"]


def test_a_county_request_passes_county_department_and_city_cloud(province: Core) -> None:
    number = requests.submit(province, an_actor(province, "erin"), a_county_form())
    for who in ("frank", "grace", "heidi"):
        assert state(province, number) == "awaiting_approval"
        approve(province, who, number)
    assert state(province, number) == "building"


@pytest.mark.parametrize("act", [approvals.approve, approvals.return_, approvals.reject])
@pytest.mark.parametrize("scope", [FINANCE, ("division", "450000"), INSTALLATION])
def test_nobody_decides_on_their_own_request_whatever_roles_they_hold(
    province: Core, act: Any, scope: tuple[str, str]
) -> None:
    number = submit(province)
    alice = a_person(province, "alice", Role.DEPARTMENT_APPROVER, scope)
    with pytest.raises(SecondPersonNeeded):
        act(province, alice, number, "all is well")
    assert state(province, number) == "awaiting_approval"
    assert number not in [row["id"] for row in approvals.inbox(province, alice)]


def test_nobody_decides_on_their_own_request_at_a_later_stage(province: Core) -> None:
    number = submit(province)
    approve(province, "bob", number)
    alice = a_person(province, "alice", Role.CLOUD_ADMIN, ("site", "province"))
    with pytest.raises(SecondPersonNeeded):
        approve(province, alice, number)


def test_whoever_approved_one_stage_cannot_approve_another(province: Core) -> None:
    number = submit(province)
    bob = a_person(province, "bob", Role.CLOUD_ADMIN, ("site", "province"))
    approve(province, bob, number)
    for act in (approvals.approve, approvals.return_, approvals.reject):
        with pytest.raises(SecondPersonNeeded):
            act(province, bob, number, "again")
    assert approvals.inbox(province, bob) == []
    approve(province, "carol", number)
    assert state(province, number) == "building"


def test_an_approval_of_an_earlier_round_counts_neither_for_nor_against(province: Core) -> None:
    number = submit(province)
    bob = a_person(province, "bob", Role.CLOUD_ADMIN, ("site", "province"))
    approve(province, bob, number)
    approvals.return_(province, an_actor(province, "carol"), number, "smaller")
    requests.resubmit(province, an_actor(province, "alice"), number, a_vm_form(count=1))
    assert state(province, number) == "awaiting_approval"
    other = a_person(province, "ben", Role.DEPARTMENT_APPROVER, FINANCE)
    approve(province, other, number)
    approve(province, bob, number)  # the other stage, in the new round
    assert state(province, number) == "building"
    with province.store.read() as uow:
        assert uow.column(Approval.round) == [1, 1, 2, 2]


@pytest.mark.parametrize("who", ["carol", "dave"])
def test_the_stage_asks_for_its_own_role_and_no_other(province: Core, who: str) -> None:
    number = submit(province)
    with pytest.raises(NotAllowed):
        approve(province, who, number)


@pytest.mark.parametrize("who", ["erin", "frank", "grace", "heidi", "sam"])
def test_whom_a_request_does_not_concern_does_not_learn_of_it(province: Core, who: str) -> None:
    number = submit(province)
    with pytest.raises(NotFound):
        approve(province, who, number)


def test_a_role_above_holds_for_everything_inside_and_beside_it_not(province: Core) -> None:
    number = requests.submit(province, an_actor(province, "erin"), a_county_form())
    city = a_person(province, "cindy", Role.DIVISION_REVIEWER, ("division", "450100"))
    assert [row["id"] for row in approvals.inbox(province, city)] == [number]
    approve(province, city, number)
    elsewhere = a_person(province, "carl", Role.CLOUD_ADMIN, ("site", "province"))
    approve(province, "grace", number)
    with pytest.raises(NotFound):
        approve(province, elsewhere, number)


def test_a_decision_without_a_reason_is_refused_where_the_requester_has_to_learn_why(province: Core) -> None:
    number = submit(province)
    for act in (approvals.return_, approvals.reject):
        with pytest.raises(BadInput) as refused:
            act(province, an_actor(province, "bob"), number, "  ")
        assert [fault.place for fault in refused.value.faults] == ["opinion"]
    with pytest.raises(BadInput):
        approve(province, "bob", number, "x" * 1001)


def test_a_rejected_request_is_over_and_holds_nothing(province: Core) -> None:
    number = submit(province)
    approvals.reject(province, an_actor(province, "bob"), number, "没有预算")
    assert state(province, number) == "rejected"
    with province.store.read() as uow:
        assert set(uow.column(Hold.state)) == {"freed"}
        assert uow.column(Notice.user_id, Notice.needs_action.is_(True), Notice.done_at.is_(None)) == []
        told = uow.first(Notice, Notice.user_id == "alice")
        assert told is not None
        assert (
            told.template.format(**told.params) == "request 1 (3 x gov.medium) was rejected by 王博: 没有预算"
        )
    assert ledger.drift(province) == []
    for act in (approvals.approve, approvals.reject):
        with pytest.raises(WrongState):
            act(province, an_actor(province, "bob"), number, "really")


# -- decided again at the moment of approval


def test_a_level_that_went_over_meanwhile_blocks_the_approval_and_the_hold_stays(province: Core) -> None:
    number = submit(province)
    ledger.set_limit(province, an_actor(province, "dave"), "department:gx-finance", "*", "vcpus", 5)
    with pytest.raises(OverQuota) as refused:
        approve(province, "bob", number)
    assert [fault.params["short"] for fault in refused.value.faults] == [1]
    assert state(province, number) == "awaiting_approval"
    ledger.set_limit(province, an_actor(province, "dave"), "department:gx-finance", "*", "vcpus", 6)
    approve(province, "bob", number)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("system_retired", "system_retired"),
        ("system_classified", "system_classified"),
        ("site_observed", "site_observed"),
        ("site_retired", "site_retired"),
        ("zone_retired", "unknown_zone"),
    ],
)
def test_rules_that_changed_meanwhile_block_the_approval(province: Core, change: str, code: str) -> None:
    number = submit(province)
    now = province.clock.now()
    with province.store.write() as uow:
        system, site = uow.need(InformationSystem, "gx-finance-budget"), uow.need(Site, "province")
        system.retired_at = now if change == "system_retired" else None
        system.is_classified = change == "system_classified"
        site.mode = "observe" if change == "site_observed" else "managed"
        site.retired_at = now if change == "site_retired" else None
        if change == "zone_retired":
            uow.update(SiteZone, SiteZone.site_id == "province", retired_at=now)
    with pytest.raises(Refused) as refused:
        approve(province, "bob", number)
    assert [fault.code for fault in refused.value.faults] == [code]
    approvals.reject(province, an_actor(province, "bob"), number, "no longer possible")


def test_a_release_of_what_went_meanwhile_is_not_approved(province: Core) -> None:
    server = a_resource(province, a_project(province), {})
    number = requests.submit(
        province, an_actor(province, "alice"), {"kind": "release", "resources": [server]}
    )
    with province.store.write() as uow:
        uow.update(Resource, Resource.id == server, state="released")
    with pytest.raises(Refused) as refused:
        approve(province, "bob", number)
    assert [fault.code for fault in refused.value.faults] == ["not_releasable"]


# -- the inbox


def test_the_inbox_shows_what_waits_for_a_person_and_who_else_could(province: Core) -> None:
    first, second = submit(province), submit(province)
    approve(province, "bob", first)
    inbox = {
        who: approvals.inbox(province, an_actor(province, who)) for who in ("alice", "bob", "carol", "erin")
    }
    assert {who: [row["id"] for row in rows] for who, rows in inbox.items()} == {
        "alice": [],
        "bob": [second],
        "carol": [first],
        "erin": [],
    }
    assert inbox["carol"][0]["waits_for"] == "云管审批"


def test_people_who_are_disabled_are_neither_named_nor_told(province: Core) -> None:
    with province.store.write() as uow:
        uow.need(User, "bob").disabled_at = province.clock.now()
    number = submit(province)
    with province.store.read() as uow:
        assert queries.show(uow, an_actor(province, "ivan"), number)["stages"][0]["who"] == []
        assert uow.count(Notice, Notice.user_id == "bob") == 0
