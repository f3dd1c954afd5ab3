"""Plan and apply: a pure difference, bound to what it saw, all or nothing, destroying only when told to."""

import json
from typing import Any, TypeVar

import pytest

from cloudctl.actors import Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, Refused, StalePlan
from cloudctl.lifecycle import RequestState, ResourceState
from cloudctl.models import (
    ANY_SITE,
    AuditEvent,
    CatalogueItem,
    Department,
    Division,
    InformationSystem,
    Project,
    QuotaRow,
    Resource,
    Row,
    ServiceRequest,
    Site,
    SiteZone,
    TopologyVersion,
    User,
)
from tenants.topology import apply, current, load, plan, state
from tests.topology_files import PLAIN, edited
from tests.topology_people import province_admin, somebody


def do(core: Core, source: bytes | None = None, allow_destroy: bool = False) -> plan.Plan:
    """Plan and apply the file; the plan travels as JSON in between."""
    made = plan.plan(core, load.read(source or PLAIN.read_bytes()))
    travelled = plan.read(json.loads(json.dumps(made.as_json())))
    apply.apply(core, province_admin(), travelled, allow_destroy)
    return made


R = TypeVar("R", bound=Row)


def get(core: Core, model: type[R], key: object) -> R:
    with core.store.read() as uow:
        return uow.need(model, key)


def counter(core: Core, scope_id: str, kind: str, site: str = ANY_SITE) -> QuotaRow:
    with core.store.read() as uow:
        row = uow.first(QuotaRow, QuotaRow.scope_id == scope_id, QuotaRow.kind == kind, QuotaRow.site == site)
        assert row is not None
        return row


def brief(made: plan.Plan) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.id) for change in made.changes]


BUDGET = "gx-finance-budget"


def a_project(core: Core, system: str = BUDGET, department: str = "gx-finance") -> str:
    row = Project(
        id=f"{system}/prod@province",
        name=f"{system}-prod",
        system_id=system,
        department_id=department,
        site_id="province",
        created_at=core.clock.now(),
    )
    with core.store.write() as uow:
        return uow.add(row).id


def a_server(core: Core, project: str, vcpus: int = 2) -> None:
    with core.store.write() as uow:
        home = uow.need(Project, project)
        row = Resource(
            id=f"r-{project}",
            kind="server",
            site_id=home.site_id,
            project_id=project,
            system_id=home.system_id,
            department_id=home.department_id,
            name=f"{project}-vm1",
            state=ResourceState.ACTIVE,
            amounts={"vcpus": vcpus},
            created_at=core.clock.now(),
        )
        uow.add(row)


def a_request(core: Core, project: str) -> int:
    now = core.clock.now()
    with core.store.write() as uow:
        uow.add(User(id="alice", name="李爱丽", created_at=now))
        home = uow.need(Project, project)
        row = ServiceRequest(
            kind="vm",
            state=RequestState.AWAITING_APPROVAL,
            department_id=home.department_id,
            system_id=home.system_id,
            project_id=project,
            site_id=home.site_id,
            zone="internet",
            draft={},
            requested_by="alice",
            idempotency_key="k",
            created_at=now,
            changed_at=now,
        )
        return uow.add(row).id


# -- what a plan does


def test_the_first_plan_creates_everything_parents_first(core: Core) -> None:
    made = do(core)
    assert {change.action for change in made.changes} == {"create"}
    divisions = [change.id for change in made.changes if change.kind == "division"]
    assert divisions == ["450000", "450100", "450102", "450103", "450181"]
    assert get(core, Division, "450103").served_by == ["city-1", "province"]
    assert get(core, Division, "450103").parent_code == "450100"
    assert get(core, Site, "city-1").division_code == "450100"
    assert get(core, InformationSystem, BUDGET).has_key_data
    with core.store.read() as uow:
        assert uow.count(SiteZone) == 6
        medium = uow.first(CatalogueItem, CatalogueItem.name == "gov.medium")
        assert medium is not None
        assert medium.spec == {"vcpus": 2, "ram_mib": 4096}


def test_planning_changes_nothing(core: Core) -> None:
    before = plan.plan(core, load.read(PLAIN))
    assert plan.plan(core, load.read(PLAIN)) == before
    with core.store.read() as uow:
        assert uow.count(Site) == uow.count(AuditEvent) == uow.count(TopologyVersion) == 0


def test_applying_twice_changes_nothing(core: Core) -> None:
    do(core)
    again = do(core)
    assert again.is_empty
    with core.store.read() as uow:
        assert uow.count(TopologyVersion) == 1
        events = uow.count(AuditEvent)
    do(core)
    with core.store.read() as uow:
        assert uow.count(AuditEvent) == events


def test_a_change_shows_before_and_after(core: Core) -> None:
    do(core)
    made = plan.plan(
        core,
        load.read(
            edited(
                ("name: 财政厅", "name: 财政和国资厅"),
                ("slots", "slots") if False else ("vcpus: 40,", "vcpus: 60,"),
            )
        ),
    )
    assert brief(made) == [
        ("change", "department", "gx-finance"),
        ("change", "quota", "department:gx-finance *"),
    ]
    renamed, quota = made.changes
    assert renamed.differing() == ["name"]
    assert renamed.before is not None
    assert renamed.before["name"] == "财政厅"
    assert quota.after is not None
    assert quota.after["limits"]["vcpus"] == 60


def test_everything_is_on_record(core: Core) -> None:
    do(core)
    do(core, edited(("name: 财政厅", "name: 财政和国资厅")))
    with core.store.read() as uow:
        event = uow.first(AuditEvent, AuditEvent.action == "topology.change")
        assert event is not None
        assert (event.actor, event.subject_kind, event.subject_id) == ("dave", "department", "gx-finance")
        assert event.details["after"]["name"] == "财政和国资厅"
        applied = uow.all(AuditEvent, AuditEvent.action == "topology.apply", order_by=[AuditEvent.seq])
        assert applied[1].details["changes"] == {"change": 1}
    assert core.audit.verify(core.store).is_intact


def test_only_who_may_applies(core: Core) -> None:
    made = plan.plan(core, load.read(PLAIN))
    city = somebody("heidi", (Role.CLOUD_ADMIN, ("site", "city-1")))
    with pytest.raises(NotAllowed):
        apply.apply(core, city, made)
    assert not plan.plan(core, load.read(PLAIN)).is_empty


# -- stale and altered plans


def test_a_plan_is_stale_once_rows_have_moved(core: Core) -> None:
    made = plan.plan(core, load.read(PLAIN))
    do(core)
    with pytest.raises(StalePlan):
        apply.apply(core, province_admin(), made)


@pytest.mark.parametrize(
    "move",
    [
        lambda uow: uow.update(Department, Department.id == "gx-court", name="x"),
        lambda uow: uow.update(
            QuotaRow, QuotaRow.scope_id == "gx-finance", QuotaRow.kind == "vcpus", limit=1
        ),
        lambda uow: uow.update(Site, Site.id == "city-1", mode="observe"),
    ],
    ids=["name", "limit", "mode"],
)
def test_any_row_that_a_plan_is_about_makes_it_stale(core: Core, move: Any) -> None:
    do(core)
    made = plan.plan(core, load.read(edited(("name: 财政厅", "name: 财政和国资厅"))))
    with core.store.write() as uow:
        move(uow)
    with pytest.raises(StalePlan):
        apply.apply(core, province_admin(), made)
    assert get(core, Department, "gx-finance").name == "财政厅"


def test_what_is_used_meanwhile_makes_no_plan_stale(core: Core) -> None:
    do(core)
    made = plan.plan(core, load.read(edited(("name: 财政厅", "name: 财政和国资厅"))))
    a_server(core, a_project(core))
    with core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_id == "gx-finance", used=1, load=1)
        uow.update(Site, Site.id == "city-1", state="ok")
    apply.apply(core, province_admin(), made)
    assert get(core, Department, "gx-finance").name == "财政和国资厅"


@pytest.mark.parametrize("key", ["base", "document", "changes", "digest", "format"])
def test_a_plan_altered_on_its_way_is_refused(core: Core, key: str) -> None:
    data = plan.plan(core, load.read(PLAIN)).as_json()
    data[key] = {"base": "0" * 64, "document": {}, "changes": [], "digest": "x", "format": 2}[key]
    with pytest.raises(BadInput) as caught:
        plan.read(data)
    assert caught.value.faults[0].code == "plan_altered"


@pytest.mark.parametrize(
    "data", [None, 1, [], {}, {"changes": 3}, {"changes": [1]}, {"changes": [{"action": []}]}]
)
def test_what_is_no_plan_is_refused(data: Any) -> None:
    with pytest.raises(BadInput):
        plan.read(data)


def test_a_plan_forged_with_a_right_digest_is_recomputed_and_refused(core: Core) -> None:
    honest = plan.plan(core, load.read(PLAIN))
    forged = plan.Plan(honest.base, honest.document, honest.changes[:-1])
    with pytest.raises(BadInput, match="altered"):
        apply.apply(core, province_admin(), plan.read(forged.as_json()))
    document = json.loads(json.dumps(dict(honest.document)))
    document["quotas"][0]["limits"]["vcpus"] = 1
    with pytest.raises(BadInput) as caught:
        apply.apply(core, province_admin(), plan.Plan(honest.base, document, honest.changes))
    assert [str(fault) for fault in caught.value.faults] == [
        (
            "plan: quotas[division:450000].limits.vcpus: the guarantees below division:450000 "
            "add up to 8 vcpus at *: more than 1"
        )
    ]
    assert len(plan.plan(core, load.read(PLAIN)).changes) == len(honest.changes)


# -- destroying


COURT = (
    ('  - {code: gx-court,       name: 高级人民法院, kind: 法院, division: "450000"}\n', ""),
    ("  - {code: gx-court-mediate,  name: 在线多元解纷平台, department: gx-court, mlps_level: 3}\n", ""),
)


def test_destroying_needs_to_be_allowed_and_names_what(core: Core) -> None:
    do(core)
    with pytest.raises(Refused) as caught:
        do(core, edited(*COURT))
    assert [str(fault) for fault in caught.value.faults] == [
        "system gx-court-mediate: would be retired",
        "department gx-court: would be retired",
    ]
    do(core, edited(*COURT), allow_destroy=True)
    assert get(core, Department, "gx-court").retired_at is not None
    assert plan.plan(core, load.read(edited(*COURT))).is_empty


def test_what_was_retired_comes_back_as_it_was(core: Core) -> None:
    do(core)
    do(core, edited(*COURT), allow_destroy=True)
    made = do(core)
    assert brief(made) == [("restore", "department", "gx-court"), ("restore", "system", "gx-court-mediate")]
    assert get(core, Department, "gx-court").retired_at is None


def test_a_zone_and_a_flavor_are_retired_too(core: Core) -> None:
    do(core)
    gone = edited(
        ('      internet:  {network: zone-internet,  ipv4: 10.20.32.0/20, ipv6: "fd00:1:3::/64"}', "     "),
        ('      internet:  {network: zone-internet,  ipv4: 10.21.32.0/20, ipv6: "fd00:2:3::/64"}', "     "),
        ("    - {name: gov.large,  title: 4 核 8 GiB, vcpus: 4, ram_mib: 8192}\n", ""),
    )
    with pytest.raises(Refused) as caught:
        do(core, gone)
    assert [fault.place for fault in caught.value.faults] == [
        "flavor gov.large", "zone province/internet", "zone city-1/internet"
    ]  # fmt: skip
    do(core, gone, allow_destroy=True)
    with core.store.read() as uow:
        assert uow.count(SiteZone, SiteZone.retired_at.is_(None)) == 4


def test_pointing_a_site_at_another_cloud_counts_as_destroying(core: Core) -> None:
    do(core)
    other = edited(("cloud: city-1", "cloud: city-9"))
    with pytest.raises(Refused) as caught:
        do(core, other)
    assert str(caught.value.faults[0]) == "site city-1: would be pointed at another cloud"
    do(core, other, allow_destroy=True)
    assert get(core, Site, "city-1").cloud == "city-9"


def test_what_still_holds_projects_resources_or_requests_cannot_be_retired(core: Core) -> None:
    do(core)
    project = a_project(core, "gx-court-mediate", "gx-court")
    a_server(core, project)
    number = a_request(core, project)
    made = plan.plan(core, load.read(edited(*COURT)))
    assert made.as_json()["blocked"][0] == {
        "place": "system gx-court-mediate",
        "message": "it still holds 1 projects: gx-court-mediate-prod",
    }
    with pytest.raises(Refused) as caught:
        apply.apply(core, province_admin(), made, allow_destroy=True)
    assert [str(fault) for fault in caught.value.faults] == [
        "system gx-court-mediate: it still holds 1 projects: gx-court-mediate-prod",
        "system gx-court-mediate: it still holds 1 resources: gx-court-mediate/prod@province-vm1",
        f"system gx-court-mediate: 1 requests are under way: {number}",
        "department gx-court: it still holds 1 projects: gx-court-mediate-prod",
        "department gx-court: it still holds 1 resources: gx-court-mediate/prod@province-vm1",
        f"department gx-court: 1 requests are under way: {number}",
    ]
    assert get(core, Department, "gx-court").retired_at is None


def test_a_zone_is_not_retired_under_a_request(core: Core) -> None:
    do(core)
    number = a_request(core, a_project(core))
    gone = edited(
        ('      internet:  {network: zone-internet,  ipv4: 10.20.32.0/20, ipv6: "fd00:1:3::/64"}', "     "),
        ('      internet:  {network: zone-internet,  ipv4: 10.21.32.0/20, ipv6: "fd00:2:3::/64"}', "     "),
    )
    with pytest.raises(Refused) as caught:
        do(core, gone, allow_destroy=True)
    assert [str(fault) for fault in caught.value.faults] == [
        f"zone province/internet: 1 requests are under way: {number}"
    ]


# -- quotas


def test_limits_and_guarantees_are_written_with_the_loads_above(core: Core) -> None:
    do(core)
    row = counter(core, "gx-finance", "vcpus")
    assert (row.limit, row.guarantee, row.held, row.used, row.load) == (40, 8, 0, 0, 0)
    assert counter(core, "450000", "vcpus").load == 8
    do(core, edited(("guarantees: {vcpus: 8,", "guarantees: {vcpus: 12,")))
    assert counter(core, "450000", "vcpus").load == 12


def test_a_limit_that_leaves_the_file_is_no_limit_any_more(core: Core) -> None:
    do(core)
    do(core, edited(("vcpus: 40, ", ""), ("guarantees: {vcpus: 8, ", "guarantees: {")))
    row = counter(core, "gx-finance", "vcpus")
    assert (row.limit, row.guarantee) == (None, 0)
    assert counter(core, "450000", "vcpus").load == 0
    assert counter(core, "gx-finance", "volumes").limit == 60


def test_a_limit_below_what_is_taken_is_allowed_and_named(core: Core) -> None:
    do(core)
    with core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_id == "gx-finance", QuotaRow.kind == "volumes", used=30, load=30)
    made = plan.plan(core, load.read(edited(("volumes: 60,", "volumes: 20,"))))
    assert made.as_json()["over"] == [
        {
            "scope": "department:gx-finance",
            "site": "*",
            "kind": "volumes",
            "limit": 20,
            "load": 30,
            "over": 10,
        }
    ]
    apply.apply(core, province_admin(), made)
    assert counter(core, "gx-finance", "volumes").limit == 20


def test_a_projects_limit_is_found_before_and_after_the_project_is_made(core: Core) -> None:
    scope = "  - scope: department:nn-qingxiu-edu\n"
    own = f"  - scope: project:{BUDGET}/prod@province\n    limits: {{vcpus: 10}}\n"
    do(core, edited((scope, own + scope)))
    assert counter(core, f"{BUDGET}/prod@province", "vcpus").limit == 10
    a_project(core)
    assert plan.plan(core, load.read(edited((scope, own + scope)))).is_empty
    do(core, edited((scope, own.replace("10", "12") + scope)))
    assert counter(core, f"{BUDGET}/prod@province", "vcpus").limit == 12


def test_a_system_takes_what_it_holds_to_its_new_department(core: Core) -> None:
    do(core)
    project = a_project(core)
    a_server(core, project, vcpus=2)
    do(core, edited(("    department: gx-finance\n", "    department: gx-bigdata\n")))
    assert get(core, Project, project).department_id == "gx-bigdata"
    assert get(core, Resource, f"r-{project}").department_id == "gx-bigdata"
    assert counter(core, "gx-bigdata", "vcpus").used == 2
    assert counter(core, "gx-finance", "vcpus").used == 0
    assert counter(core, "450000", "vcpus").load == 2 + 8  # and what finance keeps guaranteed


def test_a_system_does_not_move_under_a_request(core: Core) -> None:
    do(core)
    a_request(core, a_project(core))
    with pytest.raises(Refused, match="in use"):
        do(core, edited(("    department: gx-finance\n", "    department: gx-bigdata\n")))


# -- what lives in the document


def test_approvals_are_those_of_the_newest_topology(core: Core) -> None:
    with core.store.read() as uow:
        assert current.approvals(uow) == []
    do(core)
    with core.store.read() as uow:
        names = [stage.name for stage in current.approvals(uow)]
    assert names == ["county-review", "department", "cloud", "province"]
    made = do(core, edited(("title: 云管审批", "title: 云管理员审批")))
    assert brief(made) == [("change", "approval", "cloud")]
    with core.store.read() as uow:
        assert current.approvals(uow)[2].title == "云管理员审批"


def test_the_order_of_approvals_is_part_of_them(core: Core) -> None:
    do(core)
    department = "  - {name: department, title: 单位审批, role: department_approver, at: department}\n"
    cloud = "  - {name: cloud, title: 云管审批, role: cloud_admin, at: site}\n"
    made = do(core, edited((department + cloud, cloud + department)))
    assert brief(made) == [("change", "approval", "cloud"), ("change", "approval", "department")]


def test_the_fingerprint_knows_every_kind(core: Core) -> None:
    do(core)
    with core.store.read() as uow:
        now = state.current(uow)
    for kind in state.KINDS:
        assert now.of(kind), kind
        less = state.State({**now.objects, kind: {}}, now.retired)
        assert state.fingerprint(less) != state.fingerprint(now)
