"""Certificates are issued on evidence, signed, and checked by their code; nothing classified is certified."""

from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import NotAllowed, NotFound, Refused
from cloudctl.models import (
    AuditEvent,
    GateCertificate,
    InformationSystem,
    Resource,
    ServiceRequest,
    Site,
    Wave,
    WaveSystem,
)
from tenants import requests
from tenants.migration import exemptions, gate
from tests.builders import a_province, a_resource, a_vm_form, an_actor
from tests.migrating import BUDGET, bind, go, today

DAY_S = 86_400


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def certify(core: Core, user: str = "bob", system: str = BUDGET) -> dict[str, Any]:
    return gate.certify(core, an_actor(core, user), system)


def running(core: Core) -> str:
    return a_resource(core, bind(core), {"instances": 1})


def codes(certificate: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in certificate["reasons"]]


def test_a_system_relies_while_its_servers_are_there_and_no_longer(core: Core) -> None:
    go(core, "accept")
    assert (certify(core)["verdict"], codes(certify(core))) == (
        "does_not_rely", ["nothing_runs", "on_paper"],
    )  # fmt: skip
    server = running(core)
    assert certify(core)["verdict"] == "relies"
    with core.store.write() as uow:
        uow.update(Resource, Resource.id == server, state="missing")
    assert certify(core)["verdict"] == "does_not_rely"


def test_servers_at_a_site_that_is_no_longer_one_are_no_evidence(core: Core) -> None:
    go(core, "accept")
    running(core)
    with core.store.write() as uow:
        uow.update(Site, Site.id == "province", retired_at=core.clock.now())
    assert certify(core)["verdict"] == "does_not_rely"


def test_what_nobody_has_bound_to_the_system_is_no_evidence(core: Core) -> None:
    go(core, "accept")
    server = running(core)
    with core.store.write() as uow:
        uow.update(Resource, Resource.id == server, project_id=None)
    assert certify(core)["verdict"] == "does_not_rely"


def test_an_agreement_commits_by_its_day(core: Core, clock: FrozenClock) -> None:
    go(core, "agree")
    made = certify(core)
    assert (made["verdict"], made["valid_until"]) == ("committed", "2026-12-01")
    clock.advance(11 * DAY_S)
    assert certify(core)["verdict"] == "does_not_rely"


def test_a_running_wave_and_an_approved_request_commit(core: Core) -> None:
    with core.store.write() as uow:
        wave = uow.add(
            Wave(
                name="第一批", scope="division:450000", position=1, starts_on=today(core),
                ends_on=today(core, 30), created_at=core.clock.now(), created_by="dave",
            )
        )  # fmt: skip
        uow.add(WaveSystem(wave_id=wave.id, system_id=BUDGET, position=1))
    assert certify(core)["verdict"] == "does_not_rely", "a wave in draft binds nobody"
    with core.store.write() as uow:
        uow.update(Wave, Wave.id == wave.id, state="running")
    assert (certify(core)["verdict"], codes(certify(core))) == ("committed", ["wave"])
    with core.store.write() as uow:
        uow.update(Wave, Wave.id == wave.id, state="cancelled")
    made = requests.submit(core, an_actor(core, "alice"), a_vm_form())
    assert certify(core)["verdict"] == "does_not_rely", "a request that waits for approval binds nobody"
    with core.store.write() as uow:
        uow.update(ServiceRequest, ServiceRequest.id == made, state="building")
    assert codes(certify(core)) == ["request"]


def test_an_approved_exemption_is_certified_until_its_day(core: Core) -> None:
    asked = exemptions.ask(core, an_actor(core, "bob"), BUDGET, "第十二条", "9号", "2027-01-31", "专用硬件")
    assert certify(core)["verdict"] == "does_not_rely"
    exemptions.approve(core, an_actor(core, "dave"), asked)
    made = certify(core)
    assert (made["verdict"], made["valid_until"]) == ("exempt", "2027-01-31")


# -- who


@pytest.mark.parametrize(
    ("user", "error"), [("alice", NotAllowed), ("ivan", NotAllowed), ("grace", NotFound), ("heidi", NotFound)]
)
def test_who_may_not_certify_gets_no_certificate(core: Core, user: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        certify(core, user)
    with core.store.read() as uow:
        assert uow.count(GateCertificate) == 0


def test_the_administrator_of_a_cloud_certifies_what_has_a_project_there(core: Core) -> None:
    with pytest.raises(NotAllowed):
        certify(core, "carol")
    bind(core)
    assert certify(core, "carol")["state"] == "valid"


def test_a_classified_system_is_never_certified(core: Core) -> None:
    for user in ("bob", "dave"):
        with pytest.raises(Refused):
            certify(core, user, "gx-finance-secret")
        with pytest.raises(Refused):
            gate.preview(core, an_actor(core, user), "gx-finance-secret")


def test_a_preview_issues_nothing(core: Core) -> None:
    found = gate.preview(core, an_actor(core, "bob"), BUDGET)
    assert (found["verdict"], found["code"]) == ("does_not_rely", "")
    with core.store.read() as uow:
        assert uow.count(GateCertificate) == uow.count(AuditEvent) == 0


# -- checking


def test_a_certificate_is_checked_by_its_code_and_says_what_was_certified(core: Core) -> None:
    made = certify(core)
    found = gate.verify_code(core, made["code"].lower())
    assert found == made
    assert (found["state"], found["name"], found["owner_name"]) == ("valid", "预算管理一体化系统", "财政厅")


def test_a_certificate_is_valid_on_its_last_day_and_expired_after(core: Core, clock: FrozenClock) -> None:
    made = certify(core)
    assert made["valid_until"] == "2027-05-21"
    clock.advance(181 * DAY_S)
    assert (today(core).isoformat(), gate.verify_code(core, made["code"])["state"]) == ("2027-05-21", "valid")
    clock.advance(DAY_S)
    assert gate.verify_code(core, made["code"])["state"] == "expired"


@pytest.mark.parametrize("text", ["", "x", "2222-2222-2222-2222-2222-2222-2222", "😀" * 28])
def test_an_unknown_code_says_nothing(core: Core, text: str) -> None:
    certify(core)
    assert gate.verify_code(core, text) == {"id": None, "name": None, "state": "unknown"}


@pytest.mark.parametrize(
    "changes",
    [{"verdict": "relies"}, {"valid_until": "later"}, {"system_id": "gx-finance-assets", "content": "other"},
     {"signature": "00"}],
)  # fmt: skip
def test_a_certificate_that_was_changed_in_the_database_is_unknown(
    core: Core, changes: dict[str, Any]
) -> None:
    made = certify(core)
    with core.store.write() as uow:
        [row] = uow.all(GateCertificate)
        if "valid_until" in changes:
            changes = {"valid_until": today(core, 999)}
        if "content" in changes:
            changes = {**changes, "content": {**row.content, "system_name": "别的系统"}}
        uow.update(GateCertificate, GateCertificate.code == row.code, **changes)
    assert gate.verify_code(core, made["code"])["state"] == "unknown"


def test_a_system_that_became_classified_is_no_longer_named(core: Core) -> None:
    made = certify(core)
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, is_classified=True)
    assert gate.verify_code(core, made["code"]) == {"id": None, "name": None, "state": "unknown"}


def test_a_signature_for_one_purpose_fits_no_other(core: Core) -> None:
    content = {"verdict": "relies"}
    signature = core.audit.seal("gate certificate", content)
    assert core.audit.is_sealed("gate certificate", {"verdict": "relies"}, signature)
    assert not core.audit.is_sealed("snapshot", content, signature)
    assert not core.audit.is_sealed("gate certificate", {"verdict": "exempt"}, signature)


def test_issuing_is_in_the_audit_chain_without_the_code(core: Core) -> None:
    made = certify(core)
    with core.store.read() as uow:
        [event] = uow.all(AuditEvent)
    assert (event.actor, event.action, event.subject_id) == ("bob", "gate.certify", BUDGET)
    assert event.details["number"] == made["number"]
    assert made["code"].replace("-", "") not in str(event.details)
