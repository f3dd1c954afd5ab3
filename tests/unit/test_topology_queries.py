"""Reading the topology: who sees which sites, divisions, departments, systems and projects."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.core import Core
from cloudctl.errors import NotAllowed, NotFound
from cloudctl.models import Project
from cloudctl.queries import register
from cloudctl.queries import topology as reads
from tenants.register import looking
from tenants.topology import apply, load, plan
from tests.topology_files import PLAIN
from tests.topology_people import province_admin, somebody

ALICE = somebody("alice", (Role.REQUESTER, ("department", "gx-finance")), department_id="gx-finance")
ERIN = somebody("erin", (Role.REQUESTER, ("department", "nn-qingxiu-edu")), department_id="nn-qingxiu-edu")
FRANK = somebody("frank", (Role.DIVISION_REVIEWER, ("division", "450103")))
NANNING = somebody("nora", (Role.DIVISION_REVIEWER, ("division", "450100")))
HEIDI = somebody("heidi", (Role.CLOUD_ADMIN, ("site", "city-1")))
IVAN = somebody("ivan", (Role.AUDITOR, INSTALLATION))
NOBODY = somebody("nobody")


@pytest.fixture
def province(core: Core) -> Core:
    apply.apply(core, province_admin(), plan.plan(core, load.read(PLAIN)))
    with core.store.write() as uow:
        for system, department, site in (
            ("gx-finance-budget", "gx-finance", "province"),
            ("nn-qingxiu-edu-enroll", "nn-qingxiu-edu", "city-1"),
        ):
            made = Project(
                id=f"{system}/prod@{site}",
                name=f"{system}-prod",
                system_id=system,
                department_id=department,
                site_id=site,
                created_at=core.clock.now(),
            )
            uow.add(made)
    return core


def ids(core: Core, read: Callable[..., list[dict[str, Any]]], actor: Actor, **filters: Any) -> list[str]:
    with core.store.read() as uow:
        rows = read(uow, actor, **filters)
    assert all({"id", "name", "state"} <= row.keys() for row in rows)
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("actor", "departments"),
    [
        (ALICE, ["gx-finance"]),
        (ERIN, ["nn-qingxiu-edu"]),
        (FRANK, ["nn-qingxiu-edu"]),
        (NANNING, ["nn-bigdata", "nn-qingxiu-edu"]),
        (HEIDI, ["nn-bigdata", "nn-qingxiu-edu"]),
        (IVAN, ["gx-bigdata", "gx-court", "gx-finance", "nn-bigdata", "nn-qingxiu-edu"]),
        (NOBODY, []),
    ],
    ids=lambda value: value.user_id if isinstance(value, Actor) else "",
)
def test_departments_are_seen_from_where_a_role_is_held(
    province: Core, actor: Actor, departments: Iterable[str]
) -> None:
    assert ids(province, reads.list_departments, actor) == departments


def test_somebody_without_a_role_still_sees_their_own_department(province: Core) -> None:
    assert ids(province, reads.list_departments, somebody("new", department_id="gx-court")) == ["gx-court"]
    assert ids(province, reads.list_projects, somebody("new", department_id="gx-finance")) == []


def test_departments_of_a_division_include_all_below_it(province: Core) -> None:
    assert ids(province, reads.list_departments, IVAN, division="450100") == ["nn-bigdata", "nn-qingxiu-edu"]


def test_long_lists_come_in_pages(province: Core) -> None:
    first = ids(province, reads.list_departments, IVAN, limit=2)
    assert first == ["gx-bigdata", "gx-court"]
    assert ids(province, reads.list_departments, IVAN, limit=2, marker=first[-1]) == [
        "gx-finance",
        "nn-bigdata",
    ]
    assert ids(province, reads.list_divisions, IVAN, limit=1, marker="450100") == ["450102"]


def test_sites_are_those_that_serve_or_are_looked_after(province: Core) -> None:
    assert ids(province, reads.list_sites, IVAN) == ["province", "city-1"]
    assert ids(province, reads.list_sites, ALICE) == ["province"]
    assert ids(province, reads.list_sites, ERIN) == ["province", "city-1"]
    assert ids(province, reads.list_sites, HEIDI) == ["city-1"]
    assert ids(province, reads.list_sites, NOBODY) == []


def test_a_site_is_shown_with_its_zones_and_whom_it_serves(province: Core) -> None:
    with province.store.read() as uow:
        site = reads.show_site(uow, HEIDI, "南宁市政务云")
        assert (site["id"], site["state"], site["serves"]) == (
            "city-1",
            "unknown",
            ["450100", "450102", "450103", "450181"],
        )
        assert [zone["ipv6"] for zone in site["zones"]] == ["fd00:2:1::/64", "fd00:2:2::/64", "fd00:2:3::/64"]
        with pytest.raises(NotFound):
            reads.show_site(uow, HEIDI, "province")


def test_divisions_are_those_on_the_way_up_and_all_inside(province: Core) -> None:
    assert ids(province, reads.list_divisions, ERIN) == ["450000", "450100", "450103"]
    assert ids(province, reads.list_divisions, FRANK) == ["450103"]
    assert ids(province, reads.list_divisions, IVAN, parent="450100") == ["450102", "450103", "450181"]


def test_systems_and_projects_follow_their_department(province: Core) -> None:
    assert ids(province, register.list_systems, ALICE) == ["gx-finance-assets", "gx-finance-budget"]
    assert ids(province, register.list_systems, IVAN, department="nn-bigdata") == ["nn-bigdata-exchange"]
    assert ids(province, reads.list_projects, ALICE) == ["gx-finance-budget/prod@province"]
    assert ids(province, reads.list_projects, HEIDI) == ["nn-qingxiu-edu-enroll/prod@city-1"]
    assert ids(province, reads.list_projects, FRANK) == ["nn-qingxiu-edu-enroll/prod@city-1"]
    assert ids(province, reads.list_projects, IVAN, site="province") == ["gx-finance-budget/prod@province"]


def test_a_department_and_a_system_are_found_by_code_or_name(province: Core) -> None:
    with province.store.read() as uow:
        by_name = reads.show_department(uow, IVAN, "财政厅")
        assert by_name == reads.show_department(uow, IVAN, "gx-finance")
        assert (by_name["division_name"], by_name["served_by"]) == ("广西壮族自治区", ["province"])
        assert [system["id"] for system in by_name["systems"]] == ["gx-finance-assets", "gx-finance-budget"]
        system = looking.show(uow, ALICE, "预算管理一体化系统")
        assert (system["mlps_level"], system["projects"][0]["state"]) == (3, "planned")
        for read, key in ((reads.show_department, "gx-court"), (looking.show, "gx-court-mediate")):
            with pytest.raises(NotFound):
                read(uow, ALICE, key)


def test_the_catalogue_is_for_everybody_smallest_first(province: Core) -> None:
    assert ids(province, reads.list_catalogue, NOBODY, kind="flavor") == [
        "gov.small",
        "gov.medium",
        "gov.large",
    ]
    assert len(ids(province, reads.list_catalogue, NOBODY)) == 6


def test_the_document_is_for_who_answers_for_it(province: Core) -> None:
    with province.store.read() as uow:
        shown = reads.show_topology(uow, HEIDI)
        assert shown["applied_by"] == "dave"
        assert shown["document"]["version"] == 1
        with pytest.raises(NotAllowed):
            reads.show_topology(uow, ALICE)


def test_before_the_first_apply_there_is_no_document(core: Core) -> None:
    with core.store.read() as uow, pytest.raises(NotFound, match="no topology"):
        reads.show_topology(uow, IVAN)
