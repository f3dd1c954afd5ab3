"""Rules of counting: every switch is data, exactly typed, and all faults of a document come at once."""

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import BadInput
from tenants.migration import rule, rule_file
from tenants.migration.rule import (
    DEFAULT,
    CentrallyBuilt,
    Classified,
    Exempt,
    ProvedBackup,
    Rule,
    as_document,
    document_sha256,
    faults_of,
    read,
    recall,
    sha256,
)

RULES = Path(__file__).resolve().parents[2] / "examples" / "rules"
GOOD = {**as_document(DEFAULT), "name": "gx-2026", "title": "统计口径"}


def told(document: object) -> list[tuple[str, str, str]]:
    """(place, code, words) of every fault."""
    return [(one.place, one.code, one.text()) for one in faults_of(document)]


def of(**changes: Any) -> list[tuple[str, str, str]]:
    return told({**GOOD, **changes})


def test_a_document_becomes_the_rule_it_states_and_the_rule_the_document() -> None:
    stated = read(GOOD)
    assert as_document(stated) == GOOD
    assert (stated.name, stated.title) == ("gx-2026", "统计口径")
    assert stated.new_since == date(2026, 1, 1)
    assert (stated.levels, stated.stages) == (("province", "city"), ("accepted", "done"))
    assert (stated.classified, stated.exempt) == (Classified.WITH_DOCUMENT, Exempt.WHILE_VALID)
    assert (stated.centrally_built, stated.proved_backup) == (CentrallyBuilt.LEFT_OUT, ProvedBackup.BY_TIER)
    for name, kind in (
        ("classified", Classified),
        ("exempt", Exempt),
        ("centrally_built", CentrallyBuilt),
        ("proved_backup", ProvedBackup),
    ):
        assert type(getattr(stated, name)) is kind


def test_every_switch_is_read_from_its_own_key() -> None:
    other: dict[str, Any] = {
        "name": "other",
        "title": "另一口径",
        "levels": ["county"],
        "life_states": ["in_use", "suspended"],
        "classified": "always",
        "exempt": "never",
        "centrally_built": "counted",
        "hosted_on": ["industry_cloud"],
        "stages": ["trial"],
        "partial_weight_hundredths": 50,
        "new_since": None,
        "live_days": 1,
        "fresh_hours": 2,
        "max_gap_hours": 3,
        "old_host_off": False,
        "proved_backup": "not_asked",
        "idle_days": 4,
        "exclusion_jump_hundredths": 5,
        "ended_jump_hundredths": 6,
        "least_systems": 7,
    }
    assert list(other) == [field.name for field in fields(Rule)]
    assert as_document(read(other)) == other


def test_all_faults_come_at_once_each_at_its_key() -> None:
    found = of(levels=["citty"], live_days=True, title="", new_since="2026-02-30", classified="maybe")
    assert [(place, code) for place, code, _ in found] == [
        ("title", "bad_form"),
        ("levels[0]", "unknown_word"),
        ("classified", "unknown_word"),
        ("new_since", "bad_form"),
        ("live_days", "bad_type"),
    ]
    with pytest.raises(BadInput) as refused:
        read({**GOOD, "live_days": -1, "idle_days": 0})
    assert str(refused.value) == "the rule of counting has faults: 2"
    assert [fault.place for fault in refused.value.faults] == ["live_days", "idle_days"]


def test_an_unknown_key_is_said_once_with_what_was_probably_meant() -> None:
    document = {key: value for key, value in GOOD.items() if key != "live_days"}
    [fault] = faults_of({**document, "live_dys": 30})
    assert (fault.place, fault.code) == ("live_dys", "unknown_key")
    assert fault.text() == "this key is not known here (did you mean 'live_days'?)"


def test_a_key_like_no_other_is_answered_with_all_that_are_known() -> None:
    [fault] = faults_of({**GOOD, "qqqq": 1})
    assert fault.text().startswith("this key is not known here (known: name, title, levels, ")
    [fault] = faults_of({**GOOD, 7: 1})  # type: ignore[misc]
    assert (fault.place, fault.code) == ("7", "unknown_key")


def test_every_key_must_be_written() -> None:
    assert [code for _, code, _ in told({})] == ["missing"] * len(GOOD)
    assert told({})[0] == ("file", "missing", "the key 'name' is missing")


@pytest.mark.parametrize("document", [None, [], "name: x", 7])
def test_what_is_no_mapping_is_no_rule(document: object) -> None:
    assert told(document) == [("file", "not_a_mapping", "must be a mapping")]
    with pytest.raises(BadInput):
        read(document)


@pytest.mark.parametrize("value", [1.0, True, "1", [1]])
def test_a_number_is_a_whole_number_and_nothing_like_one(value: object) -> None:
    assert of(live_days=value) == [("live_days", "bad_type", "must be a whole number")]


@pytest.mark.parametrize("value", [1, 0, "true", "yes"])
def test_a_flag_is_true_or_false(value: object) -> None:
    assert of(old_host_off=value) == [("old_host_off", "bad_type", "must be true or false")]


@pytest.mark.parametrize("key", ["name", "title", "classified", "new_since"])
def test_a_text_is_a_text(key: str) -> None:
    assert of(**{key: 7}) == [(key, "bad_type", "must be a text")]


def test_a_list_is_a_list_of_known_words_each_once() -> None:
    assert of(levels="city") == [("levels", "bad_type", "must be a list")]
    assert of(levels=[]) == [("levels", "empty", "names nothing: nothing would count")]
    assert of(levels=["city", 7, "city"]) == [
        ("levels[1]", "bad_type", "must be a text"),
        ("levels[2]", "not_unique", "'city' is here twice"),
    ]
    assert of(stages=["done", "exempt", "retired", "merged"])[0][:2] == ("stages[1]", "unknown_word")
    assert len(of(stages=["exempt", "retired", "merged"])) == 3


def test_a_word_that_is_not_known_is_answered_with_those_that_are() -> None:
    words = "'citty' is none of: national, province, city, county (did you mean 'city'?)"
    assert of(levels=["citty"]) == [("levels[0]", "unknown_word", words)]
    words = "'zzzz' is none of: with_document, always, never"
    assert of(classified="zzzz") == [("classified", "unknown_word", words)]
    assert of(classified="q" * 99)[0][2].startswith(f"'{'q' * 60}' is none of")


@pytest.mark.parametrize("state", ["retired", "merged"])
def test_no_rule_can_count_what_has_ended(state: str) -> None:
    assert [code for _, code, _ in of(life_states=["in_use", state])] == ["unknown_word"]


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("partial_weight_hundredths", 0, 100),
        ("live_days", 0, 3650),
        ("fresh_hours", 1, 8760),
        ("max_gap_hours", 1, 8760),
        ("idle_days", 1, 3650),
        ("exclusion_jump_hundredths", 1, 10_000),
        ("ended_jump_hundredths", 1, 10_000),
        ("least_systems", 1, 1_000_000),
    ],
)
def test_numbers_have_their_bounds(key: str, least: int, most: int) -> None:
    assert of(**{key: least}) == of(**{key: most}) == []
    words = f"{least - 1} is too small: at least {least}"
    assert of(**{key: least - 1}) == [(key, "out_of_range", words)]
    assert of(**{key: most + 1}) == [(key, "out_of_range", f"{most + 1} is too big: at most {most}")]
    assert of(**{key: 10**90})[0][2] == f"1{'0' * 59} is too big: at most {most}"


def test_a_value_left_empty_is_no_value_but_new_systems_need_not_be_asked_about() -> None:
    assert of(live_days=None) == [("live_days", "no_value", "has no value")]
    assert of(levels=None) == [("levels", "no_value", "has no value")]
    assert of(new_since=None) == []
    assert read({**GOOD, "new_since": None}).new_since is None


@pytest.mark.parametrize(
    "text", ["2026", "2026-1-1", "20260101", "2026-W01-1", "2026-13-01", "２０２６-01-01"]
)
def test_a_day_is_written_one_way(text: str) -> None:
    assert of(new_since=text) == [("new_since", "bad_form", f"'{text}' is no day (write \"2026-01-01\")")]


@pytest.mark.parametrize("name", ["", "GX", "gx 2026", "-gx", "gx@1", "x" * 64, "口径", "gx\n"])
def test_a_name_is_a_plain_word(name: str) -> None:
    assert [(place, code) for place, code, _ in of(name=name)] == [("name", "bad_form")]
    words = "is no name: up to 63 of a-z 0-9 . _ -, the first a letter or digit"
    assert of(name=name)[0][2] == f"'{name[:60]}' {words}"


@pytest.mark.parametrize("title", ["", "  ", " 口径", "口径 ", "口\n径"])
def test_a_title_is_one_line(title: str) -> None:
    assert of(title=title) == [("title", "bad_form", "must be one line, without spaces around it")]


def test_a_title_has_an_end() -> None:
    assert of(title="口" * 100) == []
    assert of(title="口" * 101) == [("title", "out_of_range", "is too long: at most 100 characters")]


def test_the_name_of_the_built_in_rule_is_taken_but_what_was_stored_is_recalled() -> None:
    words = "'default' is the rule that is built in (choose another name)"
    assert of(name="default") == [("name", "reserved", words)]
    with pytest.raises(BadInput):
        read(as_document(DEFAULT))
    assert recall(as_document(DEFAULT)) == DEFAULT
    with pytest.raises(BadInput):
        recall({**as_document(DEFAULT), "live_days": -1})


def test_the_hash_is_of_the_whole_document() -> None:
    assert sha256(read(GOOD)) == document_sha256(GOOD) == document_sha256(dict(reversed(GOOD.items())))
    assert sha256(read({**GOOD, "title": "别的"})) != sha256(read(GOOD))
    assert len(sha256(DEFAULT)) == 64


def test_the_built_in_rule_is_what_frozen_months_say_it_is() -> None:
    assert sha256(DEFAULT) == "db4fbc7b034bd7283a4f1e2f4f8845412b18347e011f7d24cdd8626e21b10035", (
        "months may be frozen with default@1: another default is default@2"
    )


# -- files


def test_the_shipped_rules_are_good_and_the_default_is_the_serious_one() -> None:
    serious = rule_file.read((RULES / "gx-2026.yaml").read_bytes())
    assert as_document(serious) == {**as_document(DEFAULT), "name": serious.name, "title": serious.title}
    demo = rule_file.read((RULES / "demo-0d.yaml").read_bytes())
    differing = {key for key, value in as_document(demo).items() if value != as_document(serious)[key]}
    assert differing == {"name", "title", "live_days", "old_host_off", "proved_backup"}
    assert (demo.live_days, demo.old_host_off) == (0, False)
    assert demo.proved_backup == ProvedBackup.NOT_ASKED


def faults(text: str | bytes) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        rule_file.read(text if isinstance(text, bytes) else text.encode(), "r.yaml")
    return [(fault.place, fault.code) for fault in refused.value.faults]


def test_faults_of_a_file_have_line_and_column() -> None:
    text = (RULES / "gx-2026.yaml").read_text()
    broken = text.replace("live_days: 30", "live_dys: 30").replace("[province, city]", "[province, citty]")
    broken = broken.replace('"2026-01-01"', "2026-01-01")
    assert faults(broken) == [
        ("r.yaml:7:20", "unknown_word"),
        ("r.yaml:19:12", "yaml_surprise"),
        ("r.yaml:22:1", "unknown_key"),
    ]
    assert faults("name: x\nname: y\n")[:1] == [("r.yaml:1:1", "missing")]
    assert ("r.yaml:2:1", "duplicate_key") in faults("name: x\nname: y\n")


def test_a_file_that_is_no_rule_at_all_is_refused_in_words() -> None:
    assert faults("") == [("r.yaml:1:1", "empty")]
    assert faults("- 1\n") == [("r.yaml:1:1", "not_a_mapping")]
    assert faults("{") == [("r.yaml:2:1", "bad_yaml")] or faults("{")[0][1] == "bad_yaml"
    assert faults("口径".encode("gbk")) == [("r.yaml:1:1", "not_utf8")]
    assert faults(b"x" * (64 * 1024 + 1)) == [("r.yaml", "too_big")]


def test_json_and_a_byte_order_mark_are_read_as_well() -> None:
    import json

    text = json.dumps(GOOD, ensure_ascii=False, indent=1)
    assert rule_file.read(b"\xef\xbb\xbf" + text.encode()) == read(GOOD)
    assert rule_file.read((RULES / "demo-0d.yaml").read_bytes().replace(b"\n", b"\r\n")).name == "demo-0d"


def test_a_rule_file_that_names_the_built_in_rule_is_refused_at_its_line() -> None:
    text = (RULES / "gx-2026.yaml").read_text().replace("name: gx-2026", "name: default")
    assert faults(text) == [("r.yaml:3:7", rule.RESERVED)]
