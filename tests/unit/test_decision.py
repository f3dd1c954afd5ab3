"""What becomes of a request: pure, with every reason and the nearest that fits."""

import pytest

from cloudctl.actors import INSTALLATION
from cloudctl.amounts import Amounts, Kind
from tenants import catalogue
from tenants.decision import Room, SiteView, SystemView, as_form, choose_site, nearest, rules_against
from tenants.draft import Ask, Disk, Draft
from tenants.ledger_math import Counter, Node, Place
from tenants.stages import Facts, Stage, stages_of
from tenants.topology.current import stage_rule
from tests.builders import APPROVALS, a_vm_form

FLAVOR = Amounts({Kind.VCPUS: 2, Kind.RAM_MIB: 4096})
SITES = {
    "province": SiteView("province", "省级政务云", zones=frozenset({"public"})),
    "city-1": SiteView("city-1", "南宁市政务云", is_managed=False),
    "old": SiteView("old", "旧云", is_retired=True),
}


def vms(count: int, *sizes: int) -> Draft:
    disks = tuple(Disk(size, "standard") for size in sizes)
    return Draft("vm", servers=(disks,) * count, flavor="gov.medium", boot_gib=40, boot_type="standard")


def fits(**limits: int) -> object:
    def within(draft: Draft) -> bool:
        needed = catalogue.needed(draft, FLAVOR)
        return all(needed[Kind(kind)] <= limit for kind, limit in limits.items())

    return within


def nearest_within(draft: Draft, **limits: int) -> Draft | None:
    return nearest(draft, fits(**limits))  # type: ignore[arg-type]


def test_fewer_vms_come_before_smaller_disks() -> None:
    assert nearest_within(vms(5, 100, 50), vcpus=7) == vms(3, 100, 50)
    assert nearest_within(vms(5, 100, 50), volume_gib=400) == vms(2, 100, 50)


def test_disks_shrink_in_proportion_when_not_even_one_vm_fits() -> None:
    found = nearest_within(vms(3, 100, 50), volume_gib=40 + 75)
    assert found == vms(1, 50, 25)


def test_there_is_no_nearest_when_even_the_smallest_is_too_much() -> None:
    assert nearest_within(vms(3, 100), vcpus=1) is None
    assert nearest_within(vms(1), volume_gib=39) is None


def test_the_flavor_never_changes() -> None:
    found = nearest_within(vms(9, 10), ram_mib=4096)
    assert found is not None
    assert found.flavor == "gov.medium"


def test_of_volumes_alone_fewer_come_before_smaller() -> None:
    draft = Draft("volume", volumes=(Disk(100, "ssd"), Disk(100, "ssd")))
    assert nearest_within(draft, volume_gib=150) == Draft("volume", volumes=(Disk(100, "ssd"),))
    assert nearest_within(draft, volume_gib=60) == Draft("volume", volumes=(Disk(60, "ssd"),))


def test_the_nearest_is_a_form_that_can_be_sent() -> None:
    total = as_form(a_vm_form(), vms(2, 171, 171))
    assert (total["count"], total["data_total"], total["data_volumes_per_vm"]) == (2, "684GiB", 2)
    listed = as_form(a_vm_form(data_total=None, data_volumes=["9GiB"]), vms(1, 4))
    assert (listed["count"], listed["data_volumes"]) == (1, [{"size": "4GiB", "type": "standard"}])


def test_the_first_cloud_of_the_division_is_the_default_and_says_so() -> None:
    site, why, against = choose_site(Ask(vms(1)), ["province", "city-1"], SITES)
    assert (site, why.code, against) == ("province", "site_default", [])


@pytest.mark.parametrize(
    ("site", "served_by", "codes"),
    [
        ("city-1", ["province"], ["site_observed", "site_not_serving"]),
        ("province", ["city-1"], ["site_not_serving"]),
        ("old", ["old"], ["site_retired"]),
        (None, [], ["no_site"]),
    ],
)
def test_every_rule_against_a_site_is_named(site: str | None, served_by: list[str], codes: list[str]) -> None:
    _, _, against = choose_site(Ask(vms(1), site=site), served_by, SITES)
    assert [fault.code for fault in against] == codes


def test_a_classified_system_can_never_have_anything() -> None:
    system = SystemView("s", "涉密系统", "d", is_classified=True, is_retired=True)
    assert [fault.code for fault in rules_against(system)] == ["system_classified", "system_retired"]


def test_what_a_request_holds_already_is_not_held_against_it() -> None:
    leaf = Node(0, "project", "p")
    place = Place(leaf, "*", Kind.VCPUS)
    room = Room((leaf,), "*", {place: Counter(limit=4, held=4, load=4)})
    assert room.shortages(Amounts({Kind.VCPUS: 4}))
    assert not room.without(Amounts({Kind.VCPUS: 4})).shortages(Amounts({Kind.VCPUS: 4}))


# -- stages


def stages(**facts: object) -> list[str]:
    known = {"kind": "vm", "site": "province", "zone": "public", "department": "d", "level": "province"}
    divisions = {"province": "450000", "city": "450100", "county": "450103"}
    given: dict[str, object] = {**known, "divisions": divisions, **facts}
    rules = [stage_rule(rule) for rule in APPROVALS]
    return [stage.name for stage in stages_of(rules, Facts(**given))]  # type: ignore[arg-type]


def test_a_provincial_department_passes_itself_and_the_cloud() -> None:
    assert stages() == ["department", "cloud"]


def test_a_county_department_passes_its_county_first() -> None:
    assert stages(level="county") == ["county-review", "department", "cloud"]


def test_the_way_to_the_internet_needs_the_province() -> None:
    assert stages(zone="internet") == ["department", "cloud", "province"]


def test_a_rule_at_a_level_that_is_not_above_the_department_asks_nobody() -> None:
    rules = [stage_rule({"name": "city", "title": "市级", "role": "division_reviewer", "at": "city"})]
    assert stages_of(rules, Facts("vm", "province", None, "d", "province", {"province": "450000"})) == ()


def test_a_stage_by_amount_applies_above_it_only() -> None:
    rule = {
        "name": "big",
        "title": "大额",
        "role": "province_admin",
        "at": "installation",
        "when": {"over": {"vcpus": 64}},
    }
    facts = [Facts("vm", "s", None, "d", "province", {}, Amounts({Kind.VCPUS: n})) for n in (64, 65)]
    found = [stages_of([stage_rule(rule)], one) for one in facts]
    assert found[0] == ()
    [stage] = found[1]
    assert stage.scope == INSTALLATION
    assert Stage.from_json(stage.as_json()) == stage
