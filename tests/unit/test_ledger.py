"""The ledger on a real database: holds at every level, ended once, limits that leave what they say."""

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, OverQuota
from cloudctl.lifecycle import HoldState, RequestState
from cloudctl.models import AuditEvent, Hold, Project, QuotaRow, ServiceRequest
from cloudctl.queries import quota
from tenants import ledger
from tests.builders import a_project, a_province, a_resource, an_actor

VCPUS = Amounts({Kind.VCPUS: 4})


@pytest.fixture
def province(core: Core) -> Core:
    a_province(core)
    return core


def a_request(core: Core, project_id: str) -> int:
    now = core.clock.now()
    with core.store.write() as uow:
        project = uow.need(Project, project_id)
        count = uow.count(ServiceRequest)
        return uow.add(
            ServiceRequest(
                kind="vm", state=RequestState.AWAITING_APPROVAL, department_id=project.department_id,
                system_id=project.system_id, project_id=project_id, site_id=project.site_id, draft={},
                requested_by="alice", idempotency_key=f"key-{count}", created_at=now, changed_at=now,
            )
        ).id  # fmt: skip


def hold(core: Core, request_id: int, project_id: str, needed: Amounts = VCPUS) -> None:
    with core.store.write() as uow:
        ledger.hold(uow, core.clock, request_id, uow.need(Project, project_id), needed)


def counter(core: Core, scope: str, site: str = "*", kind: str = "vcpus") -> dict[str, int]:
    with core.store.read() as uow:
        rows = quota.rows(uow, an_actor(core, "ivan"), scope, site, kind)
        return rows[0] if rows else {}


def set_limit(core: Core, scope: str, limit: int | None, guarantee: int = 0, site: str = "*") -> None:
    ledger.set_limit(core, an_actor(core, "dave"), scope, site, "vcpus", limit, guarantee)


def test_a_hold_counts_at_every_level_at_its_site_and_over_all_sites(province: Core) -> None:
    key = a_project(province, "nn-qingxiu-edu-enroll", "city-1")
    hold(province, a_request(province, key), key)
    levels = (
        f"project:{key}",
        "department:nn-qingxiu-edu",
        "division:450103",
        "division:450100",
        "division:450000",
    )
    for scope in levels:
        for site in ("city-1", "*"):
            row = counter(province, scope, site)
            assert (row["held"], row["used"], row["load"]) == (4, 0, 4)
    assert not counter(province, "division:450000", "province")


def test_a_hold_over_the_limit_names_every_level_and_changes_nothing(province: Core) -> None:
    key = a_project(province)
    set_limit(province, "department:gx-finance", 6)
    set_limit(province, "division:450000", 5, site="province")
    hold(province, a_request(province, key), key)
    second = a_request(province, key)
    with pytest.raises(OverQuota) as refused:
        hold(province, second, key)
    assert [(fault.place, fault.params["short"]) for fault in refused.value.faults] == [
        ("department:gx-finance@*", 2),
        ("division:450000@province", 3),
    ]
    assert counter(province, "department:gx-finance")["held"] == 4
    assert counter(province, f"project:{key}")["held"] == 4
    with province.store.read() as uow:
        assert uow.count(Hold, Hold.request_id == second) == 0


def test_a_hold_is_freed_once_however_often_it_is_asked(province: Core) -> None:
    key = a_project(province)
    request = a_request(province, key)
    hold(province, request, key)
    freed = []
    for _ in range(2):
        with province.store.write() as uow:
            freed.append(ledger.end_holds(uow, province.clock, request, HoldState.FREED))
    assert freed == [VCPUS, Amounts()]
    assert counter(province, "division:450000")["held"] == 0
    with province.store.read() as uow:
        assert uow.column(Hold.state) == [HoldState.FREED]


def test_what_was_held_is_used_when_the_resources_are_there(province: Core) -> None:
    key = a_project(province)
    request = a_request(province, key)
    hold(province, request, key)
    a_resource(province, key, {"vcpus": 4}, request_id=request)
    with province.store.write() as uow:
        uow.need(ServiceRequest, request).state = RequestState.DELIVERED
    for _ in range(2):
        with province.store.write() as uow:
            ledger.settle_project(uow, province.clock, request, key, HoldState.CONVERTED)
    row = counter(province, "department:gx-finance")
    assert (row["held"], row["used"], row["load"]) == (0, 4, 4)
    assert ledger.drift(province) == []


def test_what_an_open_request_is_making_is_held_and_not_used_yet(province: Core) -> None:
    key = a_project(province)
    request = a_request(province, key)
    hold(province, request, key)
    a_resource(province, key, {"vcpus": 4}, request_id=request)
    with province.store.write() as uow:
        uow.need(ServiceRequest, request).state = RequestState.BUILDING
        ledger.count_used(uow, key)
    row = counter(province, "department:gx-finance")
    assert (row["held"], row["used"]) == (4, 0)


def test_a_hold_that_moves_to_another_project_leaves_the_department_as_it_was(province: Core) -> None:
    one, other = a_project(province), a_project(province, "gx-finance-assets")
    set_limit(province, "department:gx-finance", 4)
    request = a_request(province, one)
    hold(province, request, one)
    hold(province, request, other)
    assert counter(province, f"project:{one}")["held"] == 0
    assert counter(province, f"project:{other}")["held"] == 4
    assert counter(province, "department:gx-finance")["load"] == 4


def test_a_hold_that_grows_asks_for_the_difference_only(province: Core) -> None:
    key = a_project(province)
    set_limit(province, "department:gx-finance", 6)
    request = a_request(province, key)
    hold(province, request, key)
    hold(province, request, key, Amounts({Kind.VCPUS: 6, Kind.PORTS: 1}))
    with pytest.raises(OverQuota):
        hold(province, request, key, Amounts({Kind.VCPUS: 7}))
    hold(province, request, key, Amounts({Kind.VCPUS: 2}))
    assert counter(province, "department:gx-finance")["held"] == 2
    assert counter(province, "department:gx-finance", kind="ports")["held"] == 0
    assert ledger.drift(province) == []


def test_a_guarantee_is_kept_free_of_the_others(province: Core) -> None:
    set_limit(province, "division:450000", 10)
    set_limit(province, "department:nn-qingxiu-edu", None, guarantee=8)
    set_limit(province, "department:gx-finance", None)
    key = a_project(province)
    with pytest.raises(OverQuota):
        hold(province, a_request(province, key), key)
    assert counter(province, "department:gx-finance")["free"] == 2
    county = a_project(province, "nn-qingxiu-edu-enroll", "city-1")
    hold(province, a_request(province, county), county, Amounts({Kind.VCPUS: 8}))
    assert counter(province, "division:450000")["load"] == 8


def test_guarantees_that_do_not_fit_are_refused_and_nothing_changes(province: Core) -> None:
    set_limit(province, "division:450000", 10)
    with pytest.raises(BadInput) as refused:
        set_limit(province, "department:gx-finance", 9, guarantee=11)
    assert {fault.code for fault in refused.value.faults} == {
        "guarantee_over_limit",
        "guarantees_over_parent",
    }
    assert counter(province, "department:gx-finance") == {}


def test_a_guarantee_that_others_have_already_used_up_is_refused(province: Core) -> None:
    set_limit(province, "division:450000", 10)
    key = a_project(province)
    hold(province, a_request(province, key), key)
    with pytest.raises(OverQuota):
        set_limit(province, "department:nn-qingxiu-edu", None, guarantee=7)
    set_limit(province, "department:nn-qingxiu-edu", None, guarantee=6)
    assert counter(province, "division:450000")["load"] == 10


def test_a_limit_lowered_below_what_is_taken_shows_as_over_and_blocks_growth_only(province: Core) -> None:
    key = a_project(province)
    request = a_request(province, key)
    hold(province, request, key)
    set_limit(province, "department:gx-finance", 1)
    row = counter(province, "department:gx-finance")
    assert (row["over"], row["free"]) == (3, 0)
    with pytest.raises(OverQuota):
        hold(province, a_request(province, key), key)
    with province.store.write() as uow:
        ledger.end_holds(uow, province.clock, request, HoldState.FREED)
    assert counter(province, "department:gx-finance")["over"] == 0


def test_a_limit_of_what_does_not_exist_is_refused_with_every_fault(province: Core) -> None:
    with pytest.raises(BadInput) as refused:
        ledger.set_limit(province, an_actor(province, "dave"), "department:nobody", "mars", "cpus", -1)
    assert [fault.place for fault in refused.value.faults] == ["scope", "site", "kind", "limit"]


def test_only_the_province_sets_limits_and_it_is_on_record(province: Core) -> None:
    with pytest.raises(NotAllowed):
        ledger.set_limit(province, an_actor(province, "carol"), "department:gx-finance", "*", "vcpus", 5)
    set_limit(province, "department:gx-finance", 5)
    with province.store.read() as uow:
        event = uow.first(AuditEvent, AuditEvent.action == "quota.set")
        assert event is not None
        assert (event.details["limit"], event.details["limit_before"]) == (5, None)


def test_a_limit_may_come_before_the_project_is_made(province: Core) -> None:
    set_limit(province, "project:gx-finance-budget/prod@province", 3)
    key = a_project(province)
    with pytest.raises(OverQuota):
        hold(province, a_request(province, key), key)


def test_explain_shows_every_level_and_names_the_tightest(province: Core) -> None:
    set_limit(province, "department:gx-finance", 20)
    set_limit(province, "division:450000", 8, site="province")
    key = a_project(province)
    hold(province, a_request(province, key), key)
    told = ledger.explain(province, an_actor(province, "alice"), f"project:{key}", "province")
    vcpus = next(kind for kind in told["kinds"] if kind["kind"] == "vcpus")
    assert (vcpus["free"], vcpus["tightest"]) == (4, "division:450000")
    assert len(vcpus["levels"]) == 6
    with pytest.raises(NotAllowed):
        ledger.explain(province, an_actor(province, "erin"), f"project:{key}", "province")


def test_drift_is_found_and_repaired(province: Core) -> None:
    key = a_project(province)
    hold(province, a_request(province, key), key)
    with province.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_kind == "department", held=7, load=9)
    found = ledger.drift(province, an_actor(province, "dave"))
    assert {
        (row["scope"], row["number"], row["is"], row["must_be"]) for row in found if row["site"] == "*"
    } >= {
        ("department:gx-finance", "held", 7, 4),
        ("department:gx-finance", "load", 9, 4),
    }
    assert ledger.repair(province, an_actor(province, "dave")) == found
    assert ledger.drift(province) == []


def test_what_a_site_was_told_below_what_is_used_there_is_drift(province: Core) -> None:
    key = a_project(province)
    a_resource(province, key, {"vcpus": 4})
    with province.store.write() as uow:
        ledger.count_used(uow, key)
        project = uow.need(Project, key)
        project.quota_pushed, project.quota_pushed_at = {"vcpus": 2}, province.clock.now()
    assert [(row["number"], row["is"], row["must_be"]) for row in ledger.drift(province)] == [
        ("pushed", 2, 4)
    ]


def test_people_see_the_quota_of_what_is_theirs(province: Core) -> None:
    set_limit(province, "department:gx-finance", 20)
    set_limit(province, "department:nn-qingxiu-edu", 20)
    set_limit(province, "division:450103", 20, site="city-1")
    seen = {}
    for user in ("alice", "frank", "heidi", "ivan", "sam"):
        with province.store.read() as uow:
            seen[user] = {row["scope"] for row in quota.rows(uow, an_actor(province, user))}
    assert seen["alice"] == {"department:gx-finance"}
    assert seen["frank"] == {"department:nn-qingxiu-edu", "division:450103"}
    assert seen["heidi"] == {"division:450103", "division:450100", "division:450000"}
    assert len(seen["ivan"]) == 5
    assert seen["sam"] == set()
