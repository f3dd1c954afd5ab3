"""Requests that are withdrawn, cancelled, expired, returned and sent again."""

from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    OverQuota,
    WrongState,
)
from cloudctl.models import (
    Operation,
)
from tenants import approvals, ledger, requests
from tests.asking import approve_all, limit, notices, show, submit
from tests.builders import (
    a_person,
    a_province,
    a_vm_form,
    an_actor,
)


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


# -- withdraw, cancel, expire


def test_a_withdrawn_request_holds_nothing_and_asks_nobody(province: Core) -> None:
    number = submit(province)
    requests.withdraw(province, an_actor(province, "alice"), number)
    told = show(province, number)
    assert (told["state"], {hold["state"] for hold in told["holds"]}) == ("withdrawn", {"freed"})
    assert notices(province, "bob", is_open=True) == []
    assert ledger.drift(province) == []
    with pytest.raises(WrongState):
        requests.withdraw(province, an_actor(province, "alice"), number)


def test_only_the_requester_withdraws(province: Core) -> None:
    number = submit(province)
    with pytest.raises(NotAllowed):
        requests.withdraw(province, an_actor(province, "bob"), number)


def test_an_administrator_may_cancel_what_waits_and_the_requester_is_told(province: Core) -> None:
    number = submit(province)
    with pytest.raises(NotAllowed):
        requests.cancel(province, an_actor(province, "bob"), number)
    requests.cancel(province, an_actor(province, "carol"), number)
    assert show(province, number)["state"] == "cancelled"
    assert notices(province, "alice") == ["request 1 (3 x gov.medium) was cancelled by 陈凯"]


def test_cancelling_what_is_being_built_asks_the_operation_to_stop_and_still_holds(province: Core) -> None:
    number = submit(province)
    approve_all(province, number)
    requests.cancel(province, an_actor(province, "alice"), number)
    told = show(province, number)
    assert (told["state"], {hold["state"] for hold in told["holds"]}) == ("cancelling", {"held"})
    with province.store.read() as uow:
        assert uow.need(Operation, told["operation_id"]).cancel_asked_at is not None


def test_a_cancel_that_comes_as_the_operation_ends_is_a_conflict(province: Core) -> None:
    number = submit(province)
    approve_all(province, number)
    with province.store.write() as uow:
        uow.update(Operation, state="done")
    with pytest.raises(Conflict):
        requests.cancel(province, an_actor(province, "alice"), number)


def test_requests_nobody_answers_expire_by_the_clock(province: Core, clock: FrozenClock) -> None:
    waiting, returned, building = (submit(province) for _ in range(3))
    approvals.return_(province, an_actor(province, "bob"), returned, "why three?")
    approve_all(province, building)
    clock.advance(30 * 86400 - 1)
    assert requests.expire_due(province) == 0
    clock.advance(1)
    assert requests.expire_due(province) == 2
    assert [show(province, n)["state"] for n in (waiting, returned, building)] == [
        "expired",
        "expired",
        "building",
    ]
    assert requests.expire_due(province) == 0
    assert notices(province, "alice")[-1].endswith("was not decided in time and has expired")
    assert ledger.drift(province) == []


# -- resubmit


def returned(core: Core, **changes: Any) -> int:
    number = submit(core, **changes)
    approvals.return_(core, an_actor(core, "bob"), number, "two will do")
    return number


def test_a_returned_request_keeps_what_it_holds(province: Core) -> None:
    number = returned(province)
    assert {hold["state"] for hold in show(province, number)["holds"]} == {"held"}
    assert notices(province, "alice", is_open=True) == [
        "request 1 (3 x gov.medium) was returned by 王博: two will do"
    ]


def test_a_request_sent_again_holds_the_difference_and_begins_a_new_round(province: Core) -> None:
    limit(province, "department:gx-finance", "instances", 4)
    number = submit(province)
    approvals.approve(province, an_actor(province, "bob"), number)
    approvals.return_(province, an_actor(province, "carol"), number, "smaller")
    alice = an_actor(province, "alice")
    requests.resubmit(
        province, alice, number, a_vm_form(count=4, flavor="gov.small", system="gx-finance-assets")
    )
    told = show(province, number)
    assert (told["state"], told["stage"], told["system"]) == ("awaiting_approval", 0, "gx-finance-assets")
    assert told["needed"]["instances"] == 4
    assert [stage["state"] for stage in told["stages"]] == ["waiting", "open"]
    assert notices(province, "alice", is_open=True) == []
    assert len(notices(province, "bob", is_open=True)) == 1
    assert ledger.drift(province) == []
    approvals.approve(province, an_actor(province, "bob"), number)
    approvals.approve(province, an_actor(province, "carol"), number)
    assert show(province, number)["state"] == "building"


def test_a_resubmission_that_does_not_fit_changes_nothing(province: Core) -> None:
    limit(province, "department:gx-finance", "instances", 4)
    number = returned(province)
    before = show(province, number)
    with pytest.raises(OverQuota) as refused:
        requests.resubmit(province, an_actor(province, "alice"), number, a_vm_form(count=6))
    assert "4 VMs" in str(refused.value)
    assert show(province, number) == before


def test_only_the_requester_sends_again_and_only_what_was_returned(province: Core) -> None:
    number = submit(province)
    alice = an_actor(province, "alice")
    with pytest.raises(WrongState):
        requests.resubmit(province, alice, number, a_vm_form())
    approvals.return_(province, an_actor(province, "bob"), number, "no")
    colleague = a_person(province, "amy", Role.REQUESTER, ("department", "gx-finance"))
    with pytest.raises(NotAllowed):
        requests.resubmit(province, colleague, number, a_vm_form())
    with pytest.raises(BadInput):
        requests.resubmit(province, alice, number, {"kind": "project"})
