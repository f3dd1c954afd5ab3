"""What a department asks for: previewed, submitted, seen."""

import pytest

from cloudctl.actors import Role
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    OverQuota,
    Refused,
)
from cloudctl.models import (
    AuditEvent,
    Operation,
    Project,
    Site,
)
from cloudctl.queries import requests as queries
from tenants import ledger, requests
from tenants.decision import Verdict
from tests.asking import limit, notices, rows_of_everything, show, submit
from tests.builders import (
    a_county_form,
    a_person,
    a_province,
    a_vm_form,
    an_actor,
)
from tests.conftest import RecordingBell


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


# -- preview


def test_preview_says_who_decides_and_writes_nothing(province: Core) -> None:
    before = rows_of_everything(province)
    decision = requests.preview(province, an_actor(province, "alice"), a_vm_form())
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert [(who.stage.name, who.people) for who in decision.stages] == [
        ("department", (("bob", "王博"),)),
        ("cloud", (("carol", "陈凯"),)),
    ]
    assert rows_of_everything(province) == before


def test_preview_shows_the_way_through_county_and_city_cloud(province: Core) -> None:
    told = requests.preview(province, an_actor(province, "erin"), a_county_form()).as_json()
    assert (told["site"], told["site_why"]) == ("city-1", "the first cloud that serves the division")
    assert [[who["id"] for who in stage["who"]] for stage in told["stages"]] == [
        ["frank"],
        ["grace"],
        ["heidi"],
    ]


def test_preview_never_names_the_requester_as_who_decides(province: Core) -> None:
    alice = a_person(province, "alice", Role.DEPARTMENT_APPROVER, ("department", "gx-finance"))
    decision = requests.preview(province, alice, a_vm_form())
    assert [key for key, _ in decision.stages[0].people] == ["bob"]


# -- submit


def test_a_submitted_request_is_held_on_record_and_waits_for_somebody(province: Core) -> None:
    number = submit(province)
    told = show(province, number)
    assert (told["state"], told["waits_for"], told["site"]) == ("awaiting_approval", "单位审批", "province")
    assert {hold["kind"]: hold["amount"] for hold in told["holds"]} == told["needed"]
    assert notices(province, "bob", is_open=True) == [
        "request 1 of 财政厅 waits for your decision: 单位审批 (3 x gov.medium)"
    ]
    assert notices(province, "alice") == notices(province, "carol") == []
    with province.store.read() as uow:
        project = uow.need(Project, "gx-finance-budget/prod@province")
        assert (project.state, project.external_id) == ("planned", None)
        assert [event.action for event in uow.all(AuditEvent)] == ["request.submit"]
    assert ledger.drift(province) == []


def test_the_draft_is_what_provisioning_reads(province: Core) -> None:
    draft = show(province, submit(province))["draft"]
    assert [server["name"] for server in draft["servers"]] == ["vm1", "vm2", "vm3"]
    assert draft["servers"][0]["data_volumes"] == [{"size_gib": 171, "type": "standard"}] * 2
    assert {key: draft[key] for key in ("flavor", "image", "boot_gib", "boot_type", "login")} == {
        "flavor": "gov.medium",
        "image": "debian-12",
        "boot_gib": 40,
        "boot_type": "standard",
        "login": "debian",
    }


def test_the_second_click_gives_the_first_request(province: Core) -> None:
    first = submit(province, key="click")
    assert submit(province, key="click") == first
    assert submit(province, key="another click") != first
    assert submit(province, who="erin", key="click") != first


def test_without_a_stage_a_request_goes_straight_to_work(core: Core) -> None:
    a_province(core, approvals=[])
    number = submit(core)
    told = show(core, number)
    assert told["state"] == "building"
    bell = core.bell
    assert isinstance(bell, RecordingBell)
    assert bell.rung == [told["operation_id"]]
    with core.store.read() as uow:
        operation = uow.need(Operation, told["operation_id"])
        assert (operation.kind, operation.subject_kind, operation.subject_id) == (
            "build",
            "service_request",
            str(number),
        )


def test_a_request_over_quota_names_every_level_that_is_short_and_what_would_fit(province: Core) -> None:
    limit(province, "department:gx-finance", "vcpus", 5)
    limit(province, "division:450000", "volume_gib", 900)
    before = rows_of_everything(province)
    with pytest.raises(OverQuota) as refused:
        submit(province)
    assert [(f.place, f.params["kind"], f.params["short"]) for f in refused.value.faults] == [
        ("department:gx-finance@*", "vcpus", 1),
        ("division:450000@*", "volume_gib", 244),
    ]
    assert "2 VMs with 683 GiB" in str(refused.value)
    assert rows_of_everything(province) == before


def test_what_would_fit_does_fit(province: Core) -> None:
    limit(province, "department:gx-finance", "volume_gib", 300)
    decision = requests.preview(province, an_actor(province, "alice"), a_vm_form())
    assert decision.nearest_form is not None
    assert decision.nearest_form["count"] == 1
    assert decision.nearest_form["data_total"] == "260GiB"
    requests.submit(province, an_actor(province, "alice"), decision.nearest_form)


def test_a_classified_system_gets_nothing(province: Core) -> None:
    with pytest.raises(Refused) as refused:
        submit(province, system="gx-finance-secret")
    assert [fault.code for fault in refused.value.faults] == ["system_classified"]


def test_a_site_must_serve_the_division_and_be_managed(province: Core) -> None:
    with province.store.write() as uow:
        uow.need(Site, "city-1").mode = "observe"
    with pytest.raises(Refused) as refused:
        submit(province, site="city-1")
    assert [fault.code for fault in refused.value.faults] == ["site_observed", "site_not_serving"]


def test_faults_of_the_form_and_of_its_place_come_together(province: Core) -> None:
    with pytest.raises(BadInput) as refused:
        submit(province, site="mars", count=0)
    assert {fault.place for fault in refused.value.faults} == {"site", "count"}
    with pytest.raises(BadInput) as refused:
        submit(province, system="gx-finance-budgte")
    assert refused.value.faults[0].params["near"] == "gx-finance-budget"


@pytest.mark.parametrize("who", ["bob", "carol", "dave", "erin", "ivan", "sam"])
def test_nobody_asks_for_a_department_but_its_requesters(province: Core, who: str) -> None:
    with pytest.raises(NotAllowed):
        requests.submit(province, an_actor(province, who), a_vm_form())


def test_people_see_the_requests_that_concern_them(province: Core) -> None:
    finance, county = submit(province), submit(province, who="erin")
    seen = {}
    for who in ("alice", "bob", "carol", "dave", "erin", "frank", "heidi", "ivan", "sam"):
        with province.store.read() as uow:
            seen[who] = {row["id"] for row in queries.rows(uow, an_actor(province, who))}
    both = {finance, county}
    assert seen == {
        "alice": {finance}, "bob": {finance}, "carol": {finance}, "dave": both, "erin": {county},
        "frank": {county}, "heidi": {county}, "ivan": both, "sam": set(),
    }  # fmt: skip
    with pytest.raises(NotFound):
        show(province, finance, "erin")
    with pytest.raises(NotFound):
        requests.withdraw(province, an_actor(province, "erin"), finance)


def test_a_list_goes_on_after_its_marker(province: Core) -> None:
    numbers = [submit(province) for _ in range(3)]
    with province.store.read() as uow:
        alice = an_actor(province, "alice")
        first = queries.rows(uow, alice, limit=2)
        rest = queries.rows(uow, alice, mine=True, state="awaiting_approval", marker=first[-1]["id"])
    assert [row["id"] for row in (*first, *rest)] == numbers[::-1]
