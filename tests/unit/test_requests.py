"""What a department does with its requests."""

from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    OverQuota,
    Refused,
    WrongState,
)
from cloudctl.models import (
    AuditEvent,
    Hold,
    InformationSystem,
    Notice,
    Operation,
    Project,
    QuotaRow,
    Resource,
    ServiceRequest,
    Site,
)
from cloudctl.queries import requests as queries
from tenants import approvals, ledger, requests, settlement
from tenants.decision import Verdict
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


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


def submit(core: Core, who: str = "alice", key: str = "", **changes: Any) -> int:
    form = a_county_form(**changes) if who == "erin" else a_vm_form(**changes)
    return requests.submit(core, an_actor(core, who), form, key)


def release(core: Core, *resources: str) -> int:
    form = {"kind": "release", "resources": list(resources)}
    return requests.submit(core, an_actor(core, "alice"), form)


def show(core: Core, request_id: int, who: str = "ivan") -> dict[str, Any]:
    with core.store.read() as uow:
        return queries.show(uow, an_actor(core, who), request_id)


def approve_all(core: Core, request_id: int) -> None:
    for who in ("frank", "bob", "grace", "carol", "heidi", "dave"):
        if any(row["id"] == request_id for row in approvals.inbox(core, an_actor(core, who))):
            approvals.approve(core, an_actor(core, who), request_id)


def notices(core: Core, who: str, is_open: bool = False) -> list[str]:
    with core.store.read() as uow:
        rows = uow.all(Notice, Notice.user_id == who, order_by=[Notice.id])
        return [row.template.format(**row.params) for row in rows
                if not is_open or (row.needs_action and row.done_at is None)]  # fmt: skip


def limit(core: Core, scope: str, kind: str, n: int | None) -> None:
    ledger.set_limit(core, an_actor(core, "dave"), scope, "*", kind, n)


def rows_of_everything(core: Core) -> list[int]:
    with core.store.read() as uow:
        return [uow.count(model) for model in (ServiceRequest, Hold, QuotaRow, Project, Notice, AuditEvent)]


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


# -- volumes, projects, releases


def test_a_volume_for_a_server_goes_where_the_server_is(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    form = {
        "kind": "volume",
        "volumes": ["100GiB"],
        "attach_to": server,
        "approval_number": "1",
        "payer": "p",
    }
    number = requests.submit(province, an_actor(province, "alice"), form)
    told = show(province, number)
    assert (told["project"], told["needed"]) == (
        "gx-finance-budget/prod@province",
        {"volumes": 1, "volume_gib": 100},
    )
    with pytest.raises(BadInput) as refused:
        requests.submit(province, an_actor(province, "alice"), {**form, "system": "gx-finance-assets"})
    assert [fault.code for fault in refused.value.faults] == ["contradiction"]


def test_a_project_alone_holds_nothing(province: Core) -> None:
    form = {"kind": "project", "system": "gx-finance-assets", "approval_number": "1", "payer": "p"}
    told = show(province, requests.submit(province, an_actor(province, "alice"), form))
    assert (told["needed"], told["holds"], told["project"]) == ({}, [], "gx-finance-assets/prod@province")


def test_a_release_holds_nothing_and_is_approved_too(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    number = requests.submit(
        province, an_actor(province, "alice"), {"kind": "release", "resources": [server]}
    )
    approve_all(province, number)
    told = show(province, number)
    assert (told["state"], told["holds"], told["draft"]) == (
        "building",
        [],
        {"resources": [server], "with_volumes": False},
    )
    with province.store.read() as uow:
        assert uow.need(Operation, told["operation_id"]).kind == "release"


def test_a_retired_system_may_still_give_back(province: Core) -> None:
    server = a_resource(province, a_project(province), {"instances": 1})
    with province.store.write() as uow:
        uow.need(InformationSystem, "gx-finance-budget").retired_at = province.clock.now()
    assert release(province, server)


def test_every_reason_why_a_resource_cannot_be_released_is_named(province: Core) -> None:
    key = a_project(province)
    kinds: dict[str, dict[str, Any]] = {
        "free": {},
        "taken": {},
        "boot": {"kind": "volume", "spec": {"role": "boot"}},
        "port": {"kind": "port"},
        "gone": {"state": "released"},
    }
    ids = {name: a_resource(province, key, {}, **columns) for name, columns in kinds.items()}
    alice = an_actor(province, "alice")
    requests.submit(province, alice, {"kind": "release", "resources": [ids["taken"]]})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, alice, {"kind": "release", "resources": [*ids.values(), "nothing"]})
    assert [(fault.place, fault.code) for fault in refused.value.faults] == [
        ("resources[1]", "already_asked"),
        ("resources[2]", "goes_with_server"),
        ("resources[3]", "goes_with_server"),
        ("resources[4]", "not_releasable"),
        ("resources[5]", "unknown_name"),
    ]


def test_nobody_releases_what_belongs_to_others(province: Core) -> None:
    theirs = a_resource(province, a_project(province, "nn-qingxiu-edu-enroll", "city-1"), {})
    mine = a_resource(province, a_project(province), {})
    alice = an_actor(province, "alice")
    with pytest.raises(NotAllowed):
        requests.submit(province, alice, {"kind": "release", "resources": [theirs]})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, alice, {"kind": "release", "resources": [mine, theirs]})
    assert "many_projects" in [fault.code for fault in refused.value.faults]


def test_two_projects_are_not_given_back_in_one_request(province: Core) -> None:
    one = a_resource(province, a_project(province), {})
    other = a_resource(province, a_project(province, "gx-finance-assets"), {})
    with pytest.raises(BadInput) as refused:
        requests.submit(province, an_actor(province, "alice"), {"kind": "release", "resources": [one, other]})
    assert [fault.code for fault in refused.value.faults] == ["many_projects"]


# -- what follows from the end of the work


def finish(core: Core, number: int, state: str, **columns: Any) -> None:
    with core.store.write() as uow:
        operation = uow.need(Operation, show(core, number)["operation_id"])
        operation.state = state
        for column, value in columns.items():
            setattr(operation, column, value)
        settlement.settle(core)(uow, operation)


def building(core: Core) -> int:
    number = submit(core, count=1, data_total=None, data_volumes_per_vm=None)
    approve_all(core, number)
    return number


def test_what_is_delivered_is_used_and_shown(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), show(province, number)["needed"], request_id=number)
    finish(province, number, "done", scratch={"delivered": {"login": "debian"}})
    told = show(province, number)
    assert (told["state"], told["delivered"]) == ("delivered", {"login": "debian"})
    assert {hold["state"] for hold in told["holds"]} == {"converted"}
    assert notices(province, "alice")[-1] == "request 1 (1 x gov.medium) is delivered"
    assert ledger.drift(province) == []


def test_a_failure_frees_what_was_held_and_says_why_to_both_sides(province: Core) -> None:
    number = building(province)
    finish(
        province,
        number,
        "failed",
        error_code="build_failed",
        error_message="no host",
        cloud_request_id="req-1",
    )
    told = show(province, number)
    assert [told[key] for key in ("state", "error_code", "error_message", "cloud_request_id")] == [
        "failed", "build_failed", "no host", "req-1"
    ]  # fmt: skip
    assert {hold["state"] for hold in told["holds"]} == {"freed"}
    assert notices(province, "alice")[-1] == "request 1 (1 x gov.medium) could not be carried out: no host"
    assert notices(province, "carol")[-1] == "request 1 failed at the cloud province: no host"


def test_what_a_failure_left_behind_counts_as_used(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), {"instances": 1}, request_id=number, state="error")
    finish(province, number, "failed", error_code="timed_out")
    with province.store.read() as uow:
        leaf = (QuotaRow.scope_kind == "project", QuotaRow.site == "*", QuotaRow.kind == "instances")
        assert [(row.held, row.used) for row in uow.all(QuotaRow, *leaf)] == [(0, 1)]
    assert ledger.drift(province) == []


@pytest.mark.parametrize(("ended", "state"), [("failed", "cancelled"), ("done", "delivered")])
def test_a_cancelled_build_ends_as_it_was_found(province: Core, ended: str, state: str) -> None:
    number = building(province)
    requests.cancel(province, an_actor(province, "alice"), number)
    finish(province, number, ended, error_code="cancelled" if ended == "failed" else None)
    assert show(province, number)["state"] == state
    assert ledger.drift(province) == []


def test_settling_twice_changes_nothing(province: Core) -> None:
    number = building(province)
    a_resource(province, a_project(province), {"instances": 1}, request_id=number)
    finish(province, number, "done")
    told = show(province, number)
    finish(province, number, "failed", error_code="timed_out")
    assert show(province, number) == told
    assert ledger.drift(province) == []


def test_an_operation_that_is_no_request_is_none_of_our_business(province: Core) -> None:
    with province.store.write() as uow:
        operation = Operation(kind="check", subject_kind="site", subject_id="province", state="done",
                              next_at=province.clock.now(), created_at=province.clock.now())  # fmt: skip
        settlement.settle(province)(uow, uow.add(operation))


def test_a_release_gives_its_amounts_back_once(province: Core) -> None:
    key = a_project(province)
    server = a_resource(province, key, {"instances": 1})
    with province.store.write() as uow:
        ledger.count_used(uow, key)
    number = requests.submit(
        province, an_actor(province, "alice"), {"kind": "release", "resources": [server]}
    )
    approve_all(province, number)
    with province.store.write() as uow:
        uow.update(Resource, Resource.id == server, state="released")
    finish(province, number, "done")
    assert show(province, number)["state"] == "delivered"
    with province.store.read() as uow:
        assert set(uow.column(QuotaRow.used)) == {0}
    assert ledger.drift(province) == []
