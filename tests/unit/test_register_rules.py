"""The rules of one record: what follows from what is said, and what is against it."""

from datetime import date
from typing import Any

import pytest

from cloudctl.errors import Fault
from tenants.register.fields import CLASSIFIED_NAME, FIELDS, Record, Value
from tenants.register.objections import Facts
from tenants.register.offices import Office, Offices, Place
from tenants.register.records import BLANK, CONTENT
from tenants.register.rules import Judged, judge

TODAY = date(2026, 11, 21)
OFFICES = Offices(
    {
        "gx-finance": Office("gx-finance", "财政厅", "450000"),
        "qx-edu": Office("qx-edu", "青秀区教育局", "450103"),
    },
    {
        "450000": Place("450000", "广西壮族自治区", "province", None),
        "450100": Place("450100", "南宁市", "city", "450000"),
        "450103": Place("450103", "青秀区", "county", "450100"),
        "450103101": Place("450103101", "某街道", "township", "450103"),
    },
)
DECISION: dict[str, Any] = {
    "decision_document": "桂保密〔2026〕3号",
    "decision_on": date(2026, 3, 1),
    "decision_reviewer": "周审",
}
EXEMPT: dict[str, Any] = {
    "stage": "exempt",
    "exempt_clause": "第十二条",
    "exempt_document": "免迁〔2026〕2号",
    "exempt_until": date(2027, 6, 30),
}


def facts(into: dict[str, str] | None = None, **more: Any) -> Facts:
    known = {"gx-a", "gx-b", "gx-c", "gx-d"}
    return Facts(TODAY, OFFICES, known.__contains__, (into or {}).get, **more)


def said(**given: Value) -> dict[str, Value]:
    return {"code": "gx-a", "name": "预算系统", "department": "gx-finance", **given}


def new(some: Facts | None = None, **given: Value) -> Judged:
    """A new system."""
    return judge(None, said(**given), some or facts())


def codes(judged: Judged) -> list[str]:
    return [fault.code for fault in judged.faults]


def standing(**given: Any) -> Record:
    """A record that stands."""
    judged = new(**given)
    assert not judged.faults, [str(one) for one in judged.faults]
    return judged.record


# -- classified


def test_a_classified_system_holds_no_content() -> None:
    judged = new(
        is_classified=True, **DECISION, name=None, hosting="gov_cloud", notes="绝密内容", mlps_level=3
    )
    assert codes(judged) == ["classified_content"]
    [fault] = judged.faults
    assert "部署方式" in fault.text() and "备注" in fault.text() and "等保级别" in fault.text()
    assert "绝密内容" not in fault.text() and "gov_cloud" not in fault.text()
    assert all(judged.record[name] == BLANK[name] for name in CONTENT - {"name"})
    assert judged.record["name"] == CLASSIFIED_NAME


def test_a_classified_system_needs_no_name_and_says_whose_it_is() -> None:
    judged = new(is_classified=True, name=None, division="450100", level="city", **DECISION)
    assert not judged.faults and not judged.warnings
    assert (judged.record["name"], judged.record["division"]) == (CLASSIFIED_NAME, "450100")


def test_half_a_decision_is_a_fault_and_none_a_warning() -> None:
    assert codes(new(is_classified=True, name=None, decision_document="桂保密〔2026〕3号")) == [
        "decision_incomplete"
    ]
    none = new(is_classified=True, name=None)
    assert not none.faults
    assert [one.code for one in none.warnings] == ["no_decision"]


def test_a_classified_system_has_no_stage_of_a_migration() -> None:
    assert "classified" in codes(new(is_classified=True, name=None, **DECISION, stage="planned"))
    assert codes(new(is_classified=True, name=None, **DECISION, stage="classified")) == []


def test_what_becomes_classified_loses_its_content_and_must_hold_nothing() -> None:
    before = standing(hosting="own_room", notes="说明")
    after = judge(before, {"code": "gx-a", "is_classified": True, **DECISION}, facts())
    assert not after.faults
    assert after.record["notes"] is None and after.record["name"] == CLASSIFIED_NAME
    held = judge(before, {"code": "gx-a", "is_classified": True, **DECISION}, facts(holding={"gx-a"}))
    assert codes(held) == ["still_in_use"]


def test_what_is_not_classified_any_more_needs_a_name() -> None:
    before = standing(is_classified=True, name=None, **DECISION)
    assert codes(judge(before, {"code": "gx-a", "is_classified": False}, facts())) == ["missing"]
    named = judge(before, {"code": "gx-a", "is_classified": False, "name": "预算系统"}, facts())
    assert not named.faults


# -- protection


@pytest.mark.parametrize(
    ("given", "tier"),
    [
        ({"is_key_application": True}, 4),
        ({"has_key_data": True}, 2),
        ({"mlps_level": 3}, 2),
        ({"mlps_level": 2}, None),
        ({"basic_library": "population"}, 4),
    ],
)
def test_an_empty_tier_is_filled_with_the_least_that_is_allowed(
    given: dict[str, Any], tier: int | None
) -> None:
    judged = new(**given)
    assert not judged.faults
    assert judged.record["dr_tier"] == tier


@pytest.mark.parametrize(
    ("given", "tier", "words"),
    [
        ({"is_key_application": True}, 3, "key application"),
        ({"has_key_data": True}, 1, "key data"),
        ({"mlps_level": 3}, 0, "MLPS level 3"),
        ({"basic_library": "credit"}, 2, "key application"),
    ],
)
def test_a_lower_tier_that_is_said_is_a_fault_that_names_the_rule(
    given: dict[str, Any], tier: int, words: str
) -> None:
    [fault] = new(**given, dr_tier=tier).faults
    assert (fault.place, fault.code) == ("dr_tier", "tier_too_low")
    assert words in fault.text()


def test_a_higher_tier_is_kept() -> None:
    assert new(mlps_level=3, dr_tier=3).record["dr_tier"] == 3


def test_a_basic_library_is_key_data_and_a_key_application_by_rule() -> None:
    judged = new(basic_library="population", has_key_data=False)
    assert judged.record["has_key_data"] is True and judged.record["is_key_application"] is True
    assert [one.code for one in judged.warnings] == ["key_by_rule"]
    assert not new(basic_library="population").warnings


# -- lineage


def test_a_system_cannot_be_merged_into_itself_or_into_nothing() -> None:
    assert codes(new(merged_into="gx-a")) == ["into_itself"]
    assert codes(new(merged_into="gx-z")) == ["unknown_system"]
    assert codes(new(split_from="gx-a")) == ["from_itself"]
    assert codes(new(split_from="gx-z")) == ["unknown_system"]


def test_systems_cannot_be_merged_in_a_circle() -> None:
    two = new(facts({"gx-a": "gx-b", "gx-b": "gx-a"}), merged_into="gx-b")
    assert codes(two) == ["circle"]
    assert "gx-a → gx-b → gx-a" in two.faults[0].text()
    four = facts({"gx-a": "gx-b", "gx-b": "gx-c", "gx-c": "gx-d", "gx-d": "gx-a"})
    assert "gx-a → gx-b → gx-c → gx-d → gx-a" in new(four, merged_into="gx-b").faults[0].text()
    beside = facts({"gx-a": "gx-b", "gx-b": "gx-c", "gx-c": "gx-b"})
    assert codes(new(beside, merged_into="gx-b")) == [], "others go in a circle, and their rows say so"


def test_merged_is_said_once_and_follows_everywhere() -> None:
    cases: list[dict[str, Any]] = [
        {"merged_into": "gx-b"},
        {"merged_into": "gx-b", "stage": "merged"},
        {"merged_into": "gx-b", "life_state": "merged"},
    ]
    for given in cases:
        judged = new(**given)
        assert not judged.faults
        assert (judged.record["stage"], judged.record["life_state"]) == ("merged", "merged")
    assert codes(new(merged_into="gx-b", stage="registered")) == ["not_merged"]
    assert "missing_evidence" in codes(new(life_state="merged"))


def test_retired_is_said_once_too_and_two_words_must_agree() -> None:
    assert new(life_state="retired").record["stage"] == "retired"
    assert new(stage="retired").record["life_state"] == "retired"
    assert codes(new(stage="registered", life_state="retired")) == ["contradiction"]
    assert codes(new(stage="retired", life_state="in_use")) == ["contradiction"]


def test_what_holds_something_on_a_cloud_does_not_end() -> None:
    held = facts(holding={"gx-a"})
    before = standing()
    for given in ({"life_state": "retired"}, {"merged_into": "gx-b"}):
        assert codes(judge(before, {"code": "gx-a", **given}, held)) == ["still_in_use"]


def test_an_ended_system_is_revived_by_the_province_only() -> None:
    ended = standing(life_state="retired")
    assert codes(judge(ended, {"code": "gx-a", "stage": "registered"}, facts())) == ["ended"]
    revived = judge(ended, {"code": "gx-a", "stage": "registered"}, facts(is_province_admin=True))
    assert not revived.faults and revived.record["life_state"] == "in_use"
    assert judge(ended, {"code": "gx-a", "person": "张三"}, facts()).faults == []


def test_a_department_does_not_change_while_requests_are_under_way() -> None:
    moved = judge(standing(), {"code": "gx-a", "department": "qx-edu"}, facts(asking={"gx-a"}))
    assert codes(moved) == ["requests_under_way"]


# -- stages and dates


def test_an_acceptance_is_not_before_its_trial_and_no_day_lies_ahead() -> None:
    days: dict[str, Any] = {"trial_from": date(2026, 8, 1), "accepted_on": date(2026, 7, 1)}
    assert codes(new(**days)) == ["date_order"]
    assert codes(new(agreed_on=date(2026, 11, 22))) == ["future_date"]
    assert codes(new(planned_on=date(2027, 11, 22), mlps_next_on=date(2027, 1, 1))) == []


def test_a_stage_shows_its_evidence() -> None:
    faults = new(stage="agreed", **DECISION).faults
    assert {fault.place for fault in faults} >= {"agreement", "agreement_document", "agreed_on"}


def test_an_empty_state_says_nothing_of_what_stands() -> None:
    before = standing(stage="classified", **DECISION, life_state="suspended")
    after = judge(before, {"code": "gx-a", "stage": None, "life_state": None}, facts())
    assert after.is_same


def test_an_acceptance_is_taken_back_by_the_province_only() -> None:
    done = {**standing(), "stage": "done", "hosting": "gov_cloud"}
    assert "accepted" in codes(judge(done, {"code": "gx-a", "stage": "registered"}, facts()))
    by_province = judge(done, {"code": "gx-a", "stage": "registered"}, facts(is_province_admin=True))
    assert "accepted" not in codes(by_province)


# -- exemptions


def test_an_exemption_is_asked_for_and_the_stage_stays() -> None:
    judged = new(**EXEMPT)
    assert not judged.faults
    assert judged.asks == {name: value for name, value in EXEMPT.items() if name != "stage"}
    assert (judged.record["stage"], judged.record["exempt_until"]) == ("registered", None)


def test_what_is_exempt_stays_so_and_a_longer_term_is_asked_for_anew() -> None:
    before = {**standing(), **EXEMPT}
    assert judge(before, {"code": "gx-a", **EXEMPT}, facts()).is_same
    longer = judge(before, {"code": "gx-a", **EXEMPT, "exempt_until": date(2028, 6, 30)}, facts())
    assert longer.asks is not None and longer.record["exempt_until"] == date(2027, 6, 30)


def test_the_same_is_not_asked_twice_and_not_two_things_at_once() -> None:
    content = ("第十二条", "免迁〔2026〕2号", date(2027, 6, 30))
    for state in ("asked", "rejected"):
        again = new(facts(exemptions={"gx-a": [(state, *content)]}), **EXEMPT)
        assert again.asks is None and not again.faults
    other = new(facts(exemptions={"gx-a": [("asked", "别的", *content[1:])]}), **EXEMPT)
    assert codes(other) == ["asked_already"]


def test_an_exemption_lacks_nothing_ends_and_is_not_over() -> None:
    assert codes(new(stage="exempt")) == ["missing_evidence"] * 3
    assert codes(new(**{**EXEMPT, "exempt_until": date(2030, 1, 1)})) == ["too_far"]
    over = new(**{**EXEMPT, "exempt_until": date(2026, 6, 30)})
    assert over.asks is None and [one.code for one in over.warnings] == ["exemption_over"]
    moved = judge({**standing(), "stage": "trial"}, {"code": "gx-a", **EXEMPT}, facts())
    assert "moved_already" in codes(moved)


# -- what people should know


@pytest.mark.parametrize(
    ("department", "division", "is_warned"),
    [("gx-finance", None, False), ("qx-edu", None, True), ("gx-finance", "450103101", True)],
)
def test_a_web_site_below_the_city_is_a_warning(
    department: str, division: str | None, is_warned: bool
) -> None:
    judged = new(category="政府网站", department=department, division=division)
    assert not judged.faults
    assert [one.code for one in judged.warnings] == (["website"] if is_warned else [])


def test_what_is_missing_is_told() -> None:
    assert codes(judge(None, {"code": "gx-a"}, facts())) == ["missing", "missing"]


def test_nothing_said_changes_nothing() -> None:
    before = standing(mlps_level=3, basic_library="credit")
    assert judge(before, {"code": "gx-a"}, facts()).is_same
    assert judge(before, dict(before), facts()).is_same


def test_a_cleared_field_has_its_default_again() -> None:
    before = standing(hosting="colocation", person="张三")
    whole = {field.name: before[field.name] for field in FIELDS} | {"hosting": "own_room", "person": None}
    after = judge(before, whole, facts())
    assert (after.record["hosting"], after.record["person"]) == ("own_room", None)


def test_every_fault_of_a_record_comes_at_once() -> None:
    judged = new(name=None, dr_tier=0, mlps_level=3, merged_into="gx-a", agreed_on=date(2030, 1, 1))
    assert {fault.code for fault in judged.faults} == {
        "missing",
        "tier_too_low",
        "into_itself",
        "future_date",
    }
    assert all(isinstance(fault, Fault) and fault.text() for fault in judged.faults)
