"""The rules across a topology: what cannot stand together is named, with the place."""

from typing import get_args

import pytest
import yaml

from cloudctl.actors import Role
from cloudctl.amounts import Kind
from tenants.topology import document, load
from tenants.topology.codes import QuotaScope, level_of, lineage, parent_of, resolve, scope_of
from tests.topology_files import PLAIN, edited, lines_of

CASES = yaml.safe_load((PLAIN.parent / "topology_faults.yaml").read_text(encoding="utf-8"))


def only(*edits: tuple[str, str]) -> str:
    """The one fault of the plain file with these edits."""
    (line,) = lines_of(edited(*edits))
    return line


def test_the_words_of_the_file_are_the_words_of_the_product() -> None:
    assert set(get_args(document.AmountKind)) == {kind.value for kind in Kind}
    assert set(get_args(document.ApproverRole)) <= {role.value for role in Role}


@pytest.mark.parametrize(
    ("code", "level", "parent"),
    [
        ("450000", "province", None),
        ("450100", "city", "450000"),
        ("450103", "county", "450100"),
        ("450181", "county", "450100"),
        ("450103001", "township", "450103"),
        ("469001", "county", "460000"),
        ("451000", "city", "450000"),
    ],
)
def test_a_code_says_its_level_and_its_parent(code: str, level: str, parent: str | None) -> None:
    assert (level_of(code), parent_of(code)) == (level, parent)
    assert lineage(code)[-1] == code[:2] + "0000"


def test_a_division_without_its_own_list_is_served_like_the_one_above() -> None:
    served = {"450000": ["province"], "450100": ["city-1"], "450103": None, "450200": None, "450103001": None}
    assert resolve(served) == {
        "450000": ["province"],
        "450100": ["city-1"],
        "450103": ["city-1"],
        "450103001": ["city-1"],
        "450200": ["province"],
    }


def test_scopes_are_read_and_written_alike() -> None:
    for text in ("division:450000", "department:gx-finance", "project:gx-finance-budget/prod@province"):
        assert str(scope_of(text)) == text
    assert scope_of("project:x/prod@y") == QuotaScope("project", "x", "prod", "y")
    for text in ("", "x", "department:", "division:a/b", "project:x", "project:x/y", "site:province"):
        assert scope_of(text) is None


# -- sites


def test_a_topology_without_a_province_is_refused() -> None:
    lines = lines_of(edited(("role: province\n", "role: city\n")))
    assert "lab.yaml:19:3: sites: no site has the role province (exactly one has it)" in lines
    assert (
        "lab.yaml:23:15: sites[province].division: a city site cannot be of 450000, which is a province"
        in lines
    )


def test_a_second_province_is_refused() -> None:
    lines = lines_of(edited(("role: city\n", "role: province\n")))
    assert (
        "lab.yaml:31:11: sites[city-1].role: a second site with the role province, "
        "beside 'province' (write city)" in lines
    )


def test_two_sites_cannot_be_the_same_cloud() -> None:
    assert (
        only(("cloud: city-1", "cloud: province"))
        == "lab.yaml:32:12: sites[city-1].cloud: 'province' is here twice"
    )


def test_a_site_of_an_unknown_division_is_refused() -> None:
    assert only(('division: "450100"\n    zones', 'division: "459900"\n    zones')) == (
        "lab.yaml:33:15: sites[city-1].division: there is no division '459900'"
    )


def test_a_single_domain_has_a_name_and_no_other_policy_has() -> None:
    single = ("cloud: city-1\n", "cloud: city-1\n    domain_policy: single\n")
    assert only(single).endswith(
        "sites[city-1].domain_policy: the domain policy 'single' needs the key 'domain'"
    )
    named = ("cloud: city-1\n", "cloud: city-1\n    domain: gov\n")
    assert only(named).endswith(
        "sites[city-1].domain: only the domain policy 'single' has a domain (leave it out)"
    )
    load.read(edited(("cloud: city-1\n", "cloud: city-1\n    domain_policy: single\n    domain: gov\n")))


def test_a_managed_site_has_every_zone_of_the_model_and_no_other() -> None:
    internet = '      internet:  {network: zone-internet,  ipv4: 10.21.32.0/20, ipv6: "fd00:2:3::/64"}\n'
    assert only((internet, "")).endswith(
        "sites[city-1].zones: the zone 'internet' of the province's site is missing here"
    )
    load.read(edited((internet, ""), ("cloud: city-1\n", "cloud: city-1\n    mode: observe\n"),
                     ("served_by: [city-1, province]", "served_by: [province, city-1]")))  # fmt: skip
    province = '      internet:  {network: zone-internet,  ipv4: 10.20.32.0/20, ipv6: "fd00:1:3::/64"}'
    assert only((province, "      #")).endswith(
        "sites[city-1].zones.internet: the province's site has no zone 'internet'"
    )


# -- networks


@pytest.mark.parametrize("case", CASES["networks"], ids=lambda case: str(case["new"])[:40])
def test_networks_are_valid_and_lie_apart_in_the_whole_province(case: dict[str, str]) -> None:
    assert any(line.endswith(case["fault"]) for line in lines_of(edited((case["old"], case["new"]))))


def test_one_wide_network_overlaps_all_inside_it() -> None:
    lines = lines_of(edited(("10.20.0.0/20", "10.0.0.0/8")))
    assert len(lines) == 5
    assert all(line.endswith("overlaps 10.0.0.0/8 of province public") for line in lines)


def test_a_zone_has_addresses_and_a_network_of_its_own() -> None:
    bare = 'public:    {network: zone-public,    ipv4: 10.21.0.0/20,  ipv6: "fd00:2:1::/64"}'
    assert only((bare, "public: {network: zone-public}")).endswith(
        "has neither ipv4 nor ipv6 (write both if you can)"
    )
    shared = "network: zone-internet,  ipv4: 10.21.32.0/20"
    assert only((shared, shared.replace("zone-internet", "zone-public"))).endswith(
        "the zone 'public' is on the network 'zone-public' too; zones are kept apart"
    )


# -- divisions


def test_a_county_without_its_city_is_refused() -> None:
    assert only(('code: "450181"', 'code: "450281"')) == (
        "lab.yaml:49:12: divisions[450281].code: 450281 is a county of 450200, which is not in the file"
    )


def test_one_file_describes_one_province() -> None:
    second = '  - {code: "450181", name: 横州市}\n'
    line = only((second, second + '  - {code: "440000", name: 广东省, served_by: [province]}\n'))
    assert line.endswith(
        "divisions[440000].code: a second province beside 450000; one file describes one province"
    )


def test_a_division_that_nobody_serves_is_refused() -> None:
    lines = lines_of(edited((", served_by: [province]}", "}"), (", served_by: [city-1, province]}", "}")))
    assert len(lines) == 5
    assert lines[0] == (
        "lab.yaml:45:5: divisions[450000]: no site serves 450000, nor anything above it "
        "(write served_by here or above)"
    )


def test_an_empty_list_of_sites_is_refused() -> None:
    assert (
        "lab.yaml:46:44: divisions[450100].served_by: the list is empty: no site would serve it "
        in (lines_of(edited(("[city-1, province]", "[]")))[0])
    )


def test_an_observed_site_cannot_be_the_default() -> None:
    assert only(("cloud: city-1\n", "cloud: city-1\n    mode: observe\n")).endswith(
        "divisions[450100].served_by[0]: 'city-1' is only observed: nothing can be built there by default"
    )


# -- names and references


@pytest.mark.parametrize("case", CASES["unique"], ids=lambda case: str(case["new"])[:40])
def test_what_must_be_unique_is(case: dict[str, str]) -> None:
    assert any(line.endswith(case["fault"]) for line in lines_of(edited((case["old"], case["new"]))))


def test_the_same_name_may_be_used_in_two_places() -> None:
    load.read(edited(("name: 南宁市大数据发展局", "name: 大数据发展局")))


@pytest.mark.parametrize("case", CASES["references"], ids=lambda case: str(case["new"])[:40])
def test_no_reference_dangles(case: dict[str, str]) -> None:
    assert any(line.endswith(case["fault"]) for line in lines_of(edited((case["old"], case["new"]))))


def test_a_projects_quota_lies_where_the_project_does() -> None:
    scope = "  - scope: department:nn-qingxiu-edu\n"
    assert only((scope, "  - scope: project:gx-finance-budget/prod@province\n")).endswith(
        "the project lies at 'province', so its quota does too"
    )


# -- guarantees


def test_a_guarantee_above_its_own_limit_is_refused() -> None:
    assert only(("guarantees: {vcpus: 8,", "guarantees: {vcpus: 41,")) == (
        "lab.yaml:113:25: quotas[department:gx-finance].guarantees.vcpus: "
        "the guarantee 41 is above the limit 40"
    )


def test_guarantees_add_up_within_the_parent_through_levels_that_say_nothing() -> None:
    more = (
        "  - scope: department:nn-qingxiu-edu\n",
        (
            "  - scope: department:nn-bigdata\n    guarantees: {vcpus: 100}\n"
            "  - scope: department:nn-qingxiu-edu\n    guarantees: {vcpus: 100}\n"
            "  - scope: department:nn-qingxiu-edu\n"
        ),
    )
    load.read(edited(more))
    line = only(more, ("vcpus: 800", "vcpus: 207"))
    assert line == (
        "lab.yaml:105:37: quotas[division:450000].limits.vcpus: "
        "the guarantees below division:450000 add up to 208 vcpus at *: more than 207"
    )


def test_what_a_parent_has_guaranteed_bounds_its_children() -> None:
    city = "    limits: {instances: 100, vcpus: 200,"
    guaranteed = (city, "    guarantees: {vcpus: 5}\n" + city)
    child = (
        "    limits: {instances: 4, vcpus: 8,",
        "    guarantees: {vcpus: 6}\n    limits: {instances: 4, vcpus: 8,",
    )
    assert only(guaranteed, child).endswith("add up to 6 vcpus at city-1: more than 5")


def test_one_amount_is_said_once() -> None:
    scope = "  - scope: department:nn-qingxiu-edu\n"
    again = "  - scope: department:gx-finance\n    limits: {vcpus: 9}\n"
    assert only((scope, again + scope)).endswith("vcpus of department:gx-finance at * is said twice")
    nothing = "  - scope: department:gx-court\n"
    assert only((scope, nothing + scope)).endswith("has neither limits nor guarantees")
