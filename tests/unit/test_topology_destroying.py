"""Applying destroys only when told to, and never what is in use; quotas follow with what is taken."""

import pytest

from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.models import (
    Department,
    Project,
    QuotaRow,
    Resource,
    Site,
    SiteZone,
)
from tenants.topology import apply, load, plan
from tests.topology_files import edited
from tests.topology_people import province_admin
from tests.topology_rows import BUDGET, a_project, a_request, a_server, brief, counter, do, get

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
