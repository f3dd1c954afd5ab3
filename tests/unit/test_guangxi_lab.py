"""examples/guangxi-lab.yaml: the whole region on the lab's two clouds, the lab's story unchanged on it."""

from collections import Counter

import pytest

from cloudctl.core import Core
from examples import make_guangxi_lab
from tenants.topology import apply, load, plan
from tenants.topology.codes import level_of, resolve
from tenants.topology.document import Topology
from tests.topology_files import EXAMPLES, GUANGXI, LAB
from tests.topology_people import province_admin

GUANGXI_LAB = EXAMPLES / "guangxi-lab.yaml"


@pytest.fixture(scope="module")
def both() -> Topology:
    return load.read(GUANGXI_LAB)


def test_it_is_what_its_script_makes_of_the_other_two() -> None:
    made = make_guangxi_lab.make(GUANGXI.read_text(encoding="utf-8"), LAB.read_text(encoding="utf-8"))
    assert GUANGXI_LAB.read_text(encoding="utf-8") == made


def test_it_is_applied_and_then_nothing_is_left_to_do(core: Core, both: Topology) -> None:
    first = plan.plan(core, both)
    assert not first.blocked
    assert not first.over
    apply.apply(core, province_admin(), first)
    assert plan.plan(core, both).is_empty


def test_applied_over_the_lab_it_changes_and_destroys_nothing_of_the_lab(core: Core, both: Topology) -> None:
    apply.apply(core, province_admin(), plan.plan(core, load.read(LAB)))
    grown = plan.plan(core, both)
    assert not grown.blocked
    assert not grown.destroys
    assert {change.action for change in grown.changes} == {"create"}


def test_all_that_the_lab_has_is_there_as_it_is(both: Topology) -> None:
    lab = load.read(LAB)
    for section in ("sites", "catalogue", "systems", "quotas", "approvals"):
        assert getattr(both, section) == getattr(lab, section), section
    assert {one.code: one.name for one in lab.divisions}.items() <= {
        one.code: one.name for one in both.divisions
    }.items()
    assert {one.code: one for one in lab.departments}.items() <= {
        one.code: one for one in both.departments
    }.items()


def test_it_has_every_division_and_department_of_the_region(both: Topology) -> None:
    guangxi = load.read(GUANGXI)
    assert [one.code for one in both.divisions] == [one.code for one in guangxi.divisions]
    assert both.departments == guangxi.departments


def test_nanning_has_a_cloud_of_its_own_and_every_other_city_uses_the_provinces(both: Topology) -> None:
    served = resolve({one.code: one.served_by for one in both.divisions})
    cities = {code: sites[0] for code, sites in served.items() if level_of(code) == "city"}
    assert cities == {code: "city-1" if code == "450100" else "province" for code in cities}
    assert Counter(cities.values()) == {"city-1": 1, "province": 13}
    counties = {code: sites for code, sites in served.items() if level_of(code) == "county"}
    assert all(sites == served[f"{code[:4]}00"] for code, sites in counties.items())
