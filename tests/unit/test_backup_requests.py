"""A department asks for a tier of backup; approved, the system joins the policy of that tier and site."""

from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.errors import BadInput, Refused
from cloudctl.models import InformationSystem, PolicyMember, ServiceRequest, Vault
from cloudctl.operations import Engine
from dr.enrolment import Enrol
from tenants import approvals, requests
from tenants.settlement import settle
from tests.builders import a_province, an_actor
from tests.protecting import ASSETS, BUDGET, GIB, SECRET, a_policy, a_vault, a_volume


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)
    a_volume(core, ASSETS)
    a_policy(core, members=[{"system": ASSETS, "site": "province"}])


def a_form(**changes: Any) -> dict[str, Any]:
    form = {"kind": "backup", "system": BUDGET, "tier": "T2", "payer": "财政厅", **changes}
    return {key: value for key, value in form.items() if value is not None}


def asked_and_approved(core: Core) -> int:
    number = requests.submit(core, an_actor(core, "alice"), a_form())
    for user in ("bob", "carol"):
        approvals.approve(core, an_actor(core, user), number)
    return number


def work(core: Core) -> None:
    engine = Engine(core.store, core.clock, {"enrol": Enrol()}, on_end=settle(core))
    for operation_id in engine.due():
        engine.run(operation_id)


def reasons(core: Core, **changes: Any) -> list[str]:
    decision = requests.preview(core, an_actor(core, "alice"), a_form(**changes))
    return [one.code for one in decision.reasons]


def test_an_approved_request_puts_the_system_into_the_policy_of_its_tier(core: Core) -> None:
    number = asked_and_approved(core)
    work(core)
    with core.store.read() as uow:
        request = uow.need(ServiceRequest, number)
        member = uow.first(PolicyMember, PolicyMember.system_id == BUDGET)
    assert member is not None
    assert (member.site_id, member.kind, member.left_at) == ("province", "system", None)
    assert (request.state, request.delivered["policy"], request.delivered["tier"]) == (
        "delivered", "省本级关键数据", "T2",
    )  # fmt: skip


def test_a_pass_that_follows_a_crash_changes_nothing_more(core: Core) -> None:
    asked_and_approved(core)
    work(core)
    work(core)
    with core.store.read() as uow:
        assert uow.count(PolicyMember, PolicyMember.system_id == BUDGET) == 1


def test_what_the_rules_say_is_told_before_anybody_decides(core: Core) -> None:
    assert reasons(core) == []
    assert reasons(core, tier="T4") == ["no_policy"]
    assert reasons(core, tier="T1") == ["tier_too_low", "no_policy"]
    assert "has_backup" in reasons(core, system=ASSETS)
    assert "system_classified" in reasons(core, system=SECRET)
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, is_key_application=True)
    assert reasons(core) == ["tier_too_low"]
    with pytest.raises(BadInput) as caught:
        requests.preview(core, an_actor(core, "alice"), a_form(tier="T9", payer=None, flavor="x"))
    assert {fault.place for fault in caught.value.faults} == {"tier", "payer", "flavor"}


def test_a_system_without_anything_at_the_cloud_is_refused(core: Core) -> None:
    erin = an_actor(core, "erin")
    decision = requests.preview(core, erin, a_form(system="nn-qingxiu-edu-enroll", site="city-1"))
    assert {one.code for one in decision.reasons} == {"nothing_there", "no_policy"}


def test_it_is_looked_at_once_more_before_the_last_approval(core: Core) -> None:
    number = requests.submit(core, an_actor(core, "alice"), a_form())
    approvals.approve(core, an_actor(core, "bob"), number)
    a_policy(core, members=[{"system": ASSETS, "site": "province"}, {"system": BUDGET, "site": "province"}])
    with pytest.raises(Refused):
        approvals.approve(core, an_actor(core, "carol"), number)


def test_a_vault_without_room_ends_the_request_with_the_reason(core: Core) -> None:
    number = asked_and_approved(core)
    with core.store.write() as uow:
        uow.update(Vault, Vault.site_id == "city-1", limit_bytes=GIB)
    work(core)
    with core.store.read() as uow:
        request = uow.need(ServiceRequest, number)
        assert uow.first(PolicyMember, PolicyMember.system_id == BUDGET) is None
    assert request.state == "failed"
    assert request.error_message is not None
    assert "has room for" in request.error_message
