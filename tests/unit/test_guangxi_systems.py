"""examples/guangxi-systems.xlsx: what its script makes, valid row by row, with the figures of the paper."""

import io
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from examples import guangxi_applications as tables
from examples import make_guangxi_systems as script
from examples.guangxi_systems import make
from tenants.migration.stages import ON_CLOUD, stage_faults
from tenants.register import importing
from tenants.register.fields import BY_NAME, FIELDS, Record
from tenants.register.records import BLANK, CONTENT
from tenants.topology import apply, load, plan
from tests.conftest import make_core
from tests.topology_files import EXAMPLES, GUANGXI
from tests.topology_people import province_admin

TODAY = date(2026, 11, 25)
TOPOLOGIES = ["guangxi.yaml", "guangxi-lab.yaml"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return make(load.read(GUANGXI))


@pytest.fixture
def region(tmp_path: Path, request: pytest.FixtureRequest) -> Core:
    core = make_core(tmp_path, clock=FrozenClock(datetime(2026, 11, 25, 4, tzinfo=UTC)))
    made = plan.plan(core, load.read(EXAMPLES / getattr(request, "param", TOPOLOGIES[1])))
    apply.apply(core, province_admin(), made)
    return core


def cells(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def counting(records: list[Record]) -> list[Record]:
    return [one for one in records if one["life_state"] == "in_use" and not one["is_classified"]]


# -- the file


def test_the_file_is_what_its_script_makes(records: list[Record]) -> None:
    assert cells(script.TARGET.read_bytes()) == cells(script.write(records))


def test_the_script_makes_the_same_bytes_each_time(records: list[Record]) -> None:
    assert script.write(records) == script.write(make(load.read(GUANGXI)))


def test_the_file_says_what_is_from_the_seed_documents_and_what_is_invented() -> None:
    page = "\n".join(str(row[0]) for row in cells(script.TARGET.read_bytes())["填写说明"])
    assert all(words in page for words in ("出自种子材料", "示例数据", "806 个", "95 个", "113 个"))


# -- every row


@pytest.mark.parametrize("region", TOPOLOGIES, indirect=True)
def test_it_is_imported_without_a_fault_and_a_second_time_changes_nothing(region: Core) -> None:
    content, admin = script.TARGET.read_bytes(), province_admin()
    seen = importing.preview_import(region, admin, content, script.TARGET.name)
    assert (seen.faulty, seen.rows) == (0, [])
    assert seen.exemptions_asked == len(tables.EXEMPT_UNTIL) - 1  # one has run out, and is only warned of
    importing.import_systems(region, admin, content, script.TARGET.name)
    again = importing.preview_import(region, admin, content, script.TARGET.name)
    assert (again.created, again.updated, again.faulty) == (0, 0, 0)


def test_every_row_shows_what_its_stage_asks_for(records: list[Record]) -> None:
    faults = {one["code"]: [str(fault) for fault in stage_faults(one, TODAY)] for one in records}
    assert {code: found for code, found in faults.items() if found} == {}


def test_every_row_has_known_fields_and_choices_and_a_code_of_its_own(records: list[Record]) -> None:
    assert len({one["code"] for one in records}) == len(records)
    for one in records:
        assert set(one) <= set(BY_NAME)
        for field in FIELDS:
            value = one.get(field.name)
            if field.choices and isinstance(value, str):
                assert value in field.choices, (one["code"], field.name)


def test_a_classified_system_holds_no_content(records: list[Record]) -> None:
    classified = [one for one in records if one["is_classified"]]
    assert len(classified) == 51
    for one in classified:
        assert {name for name in CONTENT if one.get(name, BLANK[name]) != BLANK[name]} == set()
    assert sum(not one.get("decision_document") for one in classified) == len(tables.WITHOUT_DECISION)


def test_no_day_but_a_planned_one_lies_ahead(records: list[Record]) -> None:
    ahead = {
        name for one in records for name, value in one.items() if isinstance(value, date) and value >= TODAY
    }
    assert ahead == {"planned_on", "mlps_next_on", "exempt_until"}


def test_people_are_posts_and_numbers_are_seen_to_be_invented(records: list[Record]) -> None:
    numbers = ("decision_document", "plan_document", "agreement_document", "report_document",
               "exempt_document", "old_host_document", "mlps_filing", "catalogue_id")  # fmt: skip
    for one in records:
        assert all(str(one[name]).startswith("示例") for name in numbers if one.get(name))
        assert str(one.get("person") or "负责人").endswith("负责人")
        assert str(one.get("leader") or "分管").startswith("分管")
        assert not re.search(r"1[3-9]\d{9}", " ".join(str(value) for value in one.values()))


# -- the figures of the paper


def test_there_are_35_national_applications_and_88_of_the_region(records: list[Record]) -> None:
    levels = Counter(one["level"] for one in counting(records))
    assert (levels["national"], levels["province"]) == (35, 88)
    owners = {one["department"] for one in counting(records) if one["level"] in ("national", "province")}
    assert all(str(owner).startswith("gx-") for owner in owners)


def test_every_department_city_and_county_of_the_region_has_a_row(records: list[Record]) -> None:
    topology = load.read(GUANGXI)
    owners = {one["department"] for one in records}
    assert owners == {one.code for one in topology.departments}
    assert {one["division"] for one in records} == {one.code for one in topology.divisions}
    counties = Counter(one["division"] for one in counting(records) if one["level"] == "county")
    assert len(counties) == 111
    assert min(counties.values()) == 4


def test_names_of_the_paper_are_there_and_marked(records: list[Record]) -> None:
    marked = {one["code"] for one in records if "名称见种子材料" in str(one.get("notes"))}
    assert marked == tables.FROM_THE_PAPER
    others = [one for one in records if one["code"] not in marked and not one["is_classified"]]
    assert {one["notes"] for one in others} == {"示例数据"}


def test_who_hosts_with_others_and_who_has_agreed_is_as_the_paper_says(records: list[Record]) -> None:
    region = [one for one in records if one["division"] == "450000"]
    colocated = {one["code"]: one["department"] for one in region if one.get("hosting") == "colocation"}
    assert len(set(colocated.values())) == tables.LEAST_COLOCATED
    assert set(tables.COLOCATED_BY_NAME) <= set(colocated)
    agreed = {one["code"] for one in region if one.get("agreement")}
    assert set(tables.AGREED_BY_NAME) <= agreed


# -- realistic gaps


def test_cities_are_far_apart_and_those_without_a_network_are_last(records: list[Record]) -> None:
    pace: dict[str, float] = {}
    for city in {f"{str(one['division'])[:4]}00" for one in records} - {"450000"}:
        own = [one for one in counting(records) if str(one["division"]).startswith(city[:4])]
        own = [one for one in own if one["stage"] != "exempt"]
        pace[city] = sum(one["stage"] in ON_CLOUD for one in own) / len(own)
    in_order = sorted(pace, key=lambda city: pace[city])
    assert set(in_order[:3]) == set(tables.CITIES_WITHOUT_NETWORK)
    assert pace[in_order[0]] < 0.15
    assert pace[in_order[-1]] > 0.95


def test_every_stage_occurs_and_so_does_every_gap(records: list[Record]) -> None:
    assert {one["stage"] for one in records} == set(BY_NAME["stage"].choices)
    running = counting(records)
    assert any(not one.get("decision_document") for one in running)
    assert any(not one.get("mlps_filing") and one["mlps_level"] == 3 for one in running)
    assert any(str(one.get("mlps_next_on")) < str(TODAY) for one in running if one.get("mlps_next_on"))
    assert any(one["stage"] == "done" and not one.get("old_host_off_on") for one in running)
    assert any(str(one.get("agreed_on")) < "2017" for one in running if one["stage"] == "agreed")
    assert any(one.get("agreement") == "partial" for one in running)
    assert any(one.get("is_centrally_built") for one in running)
    assert any(not one.get("leader") for one in running)
    new = [one for one in running if str(one.get("commissioned_on")) > "2026" and one.get("commissioned_on")]
    assert {one["hosting"] == "gov_cloud" for one in new} == {True, False}


def test_merged_sites_live_on_in_a_portal_that_has_moved(records: list[Record]) -> None:
    by_code = {one["code"]: one for one in records}
    merged = [one for one in records if one["stage"] == "merged"]
    assert len(merged) == 29
    for one in merged:
        portal = by_code[one["merged_into"]]
        assert portal["hosting"] == "gov_cloud"
        assert portal["life_state"] == "in_use"
