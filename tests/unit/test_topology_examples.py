"""The examples: read, planned and applied without a fault, and as complete as they say."""

from collections import Counter

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.core import Core
from tenants.topology import apply, load, plan
from tenants.topology.codes import level_of, resolve
from tenants.topology.document import Topology
from tests.topology_files import GUANGXI, LAB
from tests.topology_people import province_admin


@pytest.fixture(scope="module")
def guangxi() -> Topology:
    return load.read(GUANGXI)


@pytest.mark.parametrize("path", [LAB, GUANGXI], ids=["lab", "guangxi"])
def test_an_example_is_applied_and_then_nothing_is_left_to_do(core: Core, path: object) -> None:
    topology = load.read(LAB if path == LAB else GUANGXI)
    first = plan.plan(core, topology)
    assert not first.blocked
    assert not first.over
    assert not first.destroys
    apply.apply(core, province_admin(), first)
    assert plan.plan(core, topology).is_empty


def test_guangxi_has_all_its_cities_and_counties(guangxi: Topology) -> None:
    levels = Counter(level_of(division.code) for division in guangxi.divisions)
    assert levels == {"province": 1, "city": 14, "county": 111}
    counties = [division for division in guangxi.divisions if level_of(division.code) == "county"]
    kinds = Counter(division.name[-1] for division in counties)
    assert kinds == {"区": 41, "市": 10, "县": 60}
    assert sum("自治县" in division.name for division in counties) == 12


def test_guangxi_names_divisions_as_they_are_today(guangxi: Topology) -> None:
    changed = {
        "450110": "武鸣区",
        "450181": "横州市",
        "450206": "柳江区",
        "450312": "临桂区",
        "450381": "荔浦市",
        "451003": "田阳区",
        "451081": "靖西市",
        "451082": "平果市",
        "451103": "平桂区",
        "451203": "宜州区",
    }
    names = {division.code: division.name for division in guangxi.divisions}
    assert {code: names[code] for code in changed} == changed


def test_guangxi_has_126_departments_of_the_region(guangxi: Topology) -> None:
    own = [department for department in guangxi.departments if department.division == "450000"]
    assert len(own) == 126
    assert {department.kind for department in own} == {
        "党委", "人大", "政府", "政协", "监委", "法院", "检察院", "群团", "事业单位", "国企"
    }  # fmt: skip


def test_guangxi_has_a_cloud_of_the_region_and_of_every_city(guangxi: Topology) -> None:
    assert Counter(site.role for site in guangxi.sites) == {"province": 1, "city": 14}
    served = resolve({division.code: division.served_by for division in guangxi.divisions})
    homes = {site.name: site.division for site in guangxi.sites}
    cities = [code for code in served if level_of(code) == "city"]
    by_others = {code for code in cities if homes[served[code][0]] != code}
    assert by_others == {"450600", "451300", "451400"}


def test_in_the_lab_three_machines_and_a_tebibyte_fit_and_forty_do_not() -> None:
    topology = load.read(LAB)
    limits = {Kind(kind): n for quota in topology.quotas if quota.scope == "department:gx-finance"
              for kind, n in quota.limits.items()}  # fmt: skip
    medium = next(flavor for flavor in topology.catalogue.flavors if flavor.name == "gov.medium")

    def needed(count: int, data_gib: int) -> Amounts:
        one = {Kind.INSTANCES: 1, Kind.VCPUS: medium.vcpus, Kind.RAM_MIB: medium.ram_mib, Kind.PORTS: 1,
               Kind.VOLUMES: 3, Kind.VOLUME_GIB: 40}  # fmt: skip
        return Amounts(one) * count + Amounts({Kind.VOLUME_GIB: data_gib})

    story = needed(3, 1024)
    assert all(story[kind] <= limits[kind] for kind in story)
    forty = needed(40, 1024)
    assert forty[Kind.VCPUS] > limits[Kind.VCPUS]
    province = {Kind(kind): n for quota in topology.quotas if quota.scope == "division:450000"
                for kind, n in quota.limits.items()}  # fmt: skip
    assert all(forty[kind] <= province[kind] for kind in forty)  # short at the department, nowhere else


def test_in_the_lab_a_county_lands_on_its_citys_cloud() -> None:
    topology = load.read(LAB)
    served = resolve({division.code: division.served_by for division in topology.divisions})
    division = next(one.division for one in topology.departments if one.code == "nn-qingxiu-edu")
    assert served[division][0] == "city-1"


def test_every_city_and_county_of_guangxi_has_departments_with_codes_of_its_own(guangxi: Topology) -> None:
    departments: dict[str, list[str]] = {}
    for one in guangxi.departments:
        departments.setdefault(one.division, []).append(one.code)
    assert set(departments) == {division.code for division in guangxi.divisions}
    for division in guangxi.divisions:
        level, codes = level_of(division.code), departments[division.code]
        if level != "province":
            assert len(codes) >= {"city": 4, "county": 2}[level], division
            assert len({code.rsplit("-", 1)[0] for code in codes}) == 1, codes  # nn-..., nn-qingxiu-...
