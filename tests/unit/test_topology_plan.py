"""Plan and apply: a pure difference, bound to what it saw, all or nothing."""

import json
from typing import Any

import pytest

from cloudctl.actors import Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, StalePlan
from cloudctl.models import (
    AuditEvent,
    CatalogueItem,
    Department,
    Division,
    InformationSystem,
    QuotaRow,
    Site,
    SiteZone,
    TopologyVersion,
)
from tenants.topology import apply, current, load, plan, state
from tests.topology_files import PLAIN, edited
from tests.topology_people import province_admin, somebody
from tests.topology_rows import BUDGET, a_project, a_server, brief, do, get

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
