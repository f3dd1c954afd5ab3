"""Plans as people write them: read whole, every fault with its place, written again to the same document."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dr.plans.document import of_json
from dr.plans.read import read
from dr.plans.spans import seconds_of, span_of
from dr.plans.writing import differences, written
from tests.planning import a_document, a_plan_file

ROOT = Path(__file__).resolve().parents[2]


def faults_of(**changes: Any) -> dict[str, str]:
    """Place -> code."""
    _, faults = read(a_plan_file(**changes))
    return {one.place: one.code for one in faults}


def parts(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"servers": [f"vm{index}"], **row} for index, row in enumerate(rows)]


def test_a_plan_reads_with_lengths_of_time_in_seconds() -> None:
    document = a_document(rpo="15m", rto="1h", verified_for="30d", lease="20s")
    assert (document.rpo_s, document.rto_s, document.verified_for_s, document.lease_s) == (
        900,
        3600,
        30 * 86_400,
        20,
    )
    assert [(one.name, one.needs, one.patience_s) for one in document.parts] == [
        ("db", (), 600),
        ("web", ("db",), 600),
    ]
    assert document.steering is not None
    assert document.steering.addresses["city-1"] == ("10.21.0.11", "fd00:2:1::11")


def test_what_is_written_out_reads_back_to_the_same_document() -> None:
    document = a_document(
        mapping={"flavors": {"gov.medium": "gov.small"}, "addresses": {"10.20.0.11": "10.21.0.11"}},
        sentinels={"write_url": "http://10.20.0.11/s", "read_url": "http://10.20.0.11/s", "every": "0.5s"},
        approvers=["province_admin"],
        evicts=["other"],
    )
    text = yaml.safe_dump(written(document), allow_unicode=True, sort_keys=False)
    again, faults = read(yaml.safe_load(text))
    assert (again, faults) == (document, [])
    assert again is not None
    assert again.sha256 == document.sha256


def test_what_is_kept_reads_back_as_well() -> None:
    document = a_document()
    assert of_json(document.as_json()) == document
    assert read(document.as_json()) == (document, [])


def test_all_faults_are_told_at_once_each_with_its_place() -> None:
    found = faults_of(
        name="Not A Name",
        rpo="soon",
        rto=None,
        recovery="province",
        colour="red",
        parts=parts({"name": "db", "way": "point"}, {"name": "web", "needs": ["dbs"], "servers": ["vm0"]}),
        checks=[{"kind": "smoke"}],
        mapping={"adresses": {}},
        sentinels={"write_url": "http://a:b@c/", "read_url": "ftp://x"},
        steering={"name": "a b", "addresses": {"province": ["10.0.0.300"], "city-9": []}},
        approvers=["requester"],
        evicts=["Not A Name"],
    )
    assert found == {
        "name": "bad_name",
        "rpo": "bad_duration",
        "rto": "missing",
        "recovery": "same_site",
        "colour": "unknown_key",
        "parts[0].way": "unknown_word",
        "parts[1].needs[0]": "unknown_part",
        "parts[1].servers[0]": "twice",
        "checks[0].kind": "unknown_word",
        "mapping.adresses": "unknown_key",
        "sentinels.write_url": "bad_url",
        "sentinels.read_url": "bad_url",
        "steering.name": "bad_name",
        "steering.addresses.province[0]": "bad_address",
        "steering.addresses.city-9": "unknown_word",
        "approvers[0]": "unknown_word",
        "evicts": "itself",
    }


def test_a_mistyped_name_comes_with_the_one_that_is_meant() -> None:
    rows = parts({"name": "db"}, {"name": "web", "needs": ["dbs"]})
    _, faults = read(a_plan_file(recoveri="city-1", parts=rows, checks=None))
    assert [one.text() for one in faults] == [
        "is no field of a plan (did you mean recovery?)",
        "there is no part 'dbs' (did you mean db?)",
    ]


def test_parts_that_wait_for_each_other_are_named_in_their_order() -> None:
    ring = parts({"name": "a", "needs": ["c"]}, {"name": "b", "needs": ["a"]}, {"name": "c", "needs": ["b"]})
    _, [fault] = read(a_plan_file(parts=ring, checks=None))
    assert (fault.place, fault.code) == ("parts", "cycle")
    assert fault.text().count("→") == 3


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"serving": "stateless", "way": "points"}, "parts[0].way"),
        ({"serving": "read_anywhere"}, "parts[0].way"),
        ({"serving": "multi_writer", "way": "replication"}, "parts[0].way"),
        ({"checks": [{"kind": "tcp", "port": 1, "server": "vm7"}]}, "parts[0].checks[0].server"),
        ({"critical": "yes"}, "parts[0].critical"),
        ({"patience": 0}, "parts[0].patience"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused(part: dict[str, Any], place: str) -> None:
    assert list(faults_of(parts=parts({"name": "a", **part}), checks=None)) == [place]


def test_a_stateless_part_has_no_data_to_bring() -> None:
    document = a_document(parts=parts({"name": "a", "serving": "stateless"}), checks=None)
    assert document.parts[0].way == "none"


@pytest.mark.parametrize("given", [None, [], "text", {}, {"parts": "x"}, {"parts": [None, 1, []]}, 7])
def test_anything_at_all_is_read_without_an_error(given: object) -> None:
    document, faults = read(given)
    assert document is None
    assert faults


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted({*a_plan_file(), "mapping", "sentinels", "lease", "evicts"})), value=_ANY)
def test_whatever_stands_in_a_field_either_reads_or_is_named(key: str, value: object) -> None:
    document, faults = read({**a_plan_file(), key: value})
    assert (document is None) == bool(faults)
    if document is not None:
        assert read(written(document)) == (document, [])


def test_the_example_reads_and_is_written_again_to_the_same_document() -> None:
    text = (ROOT / "examples" / "protection-plans.yaml").read_text(encoding="utf-8")
    [given] = yaml.safe_load(text)["plans"]
    document, faults = read(given)
    assert faults == []
    assert document is not None
    assert read(written(document)) == (document, [])


@given(st.integers(1, 10**8))
def test_a_length_of_time_reads_as_it_is_written(seconds: int) -> None:
    assert seconds_of(span_of(seconds)) == seconds


def test_a_difference_names_the_field_with_its_part() -> None:
    before, after = written(a_document()), written(a_document(rpo="1h", rto="30m"))
    after["parts"][1]["patience"] = "20m"
    assert differences(before, after) == {"rpo": ["25h", "1h"], "parts.web.patience": [None, "20m"]}
