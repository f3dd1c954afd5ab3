"""Reading a topology file: every bad input is refused in words that say where and what to write instead."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cloudctl.errors import BadInput
from tenants.topology import load
from tenants.topology.faults import beside_source, excerpt, show
from tests.topology_files import PLAIN, edited, faults_of, lines_of

CASES = yaml.safe_load((PLAIN.parent / "topology_faults.yaml").read_text(encoding="utf-8"))


def test_a_topology_is_read_without_a_fault() -> None:
    topology = load.read(PLAIN)
    assert [site.name for site in topology.sites] == ["province", "city-1"]
    assert topology.divisions[0].name == "广西壮族自治区"


def test_all_faults_are_told_at_once_each_at_its_line_and_column() -> None:
    source = edited(
        ("role: city", "role: citi"),
        ('kind: 政府, division: "450103"', 'kind: 政府, divison: "450103"'),
        ('code: "450181"', "code: 450181"),
        ("served_by: [city-1, province]", "served_by: [city1]"),
        ("department: nn-qingxiu-edu,", "department: nn-qingxiu-ed,"),
        ("vcpus: 40,", "vcpu: 40,"),
    )
    assert lines_of(source) == [
        "lab.yaml:31:11: sites[city-1].role: 'citi' is none of: province, city (did you mean 'city'?)",
        "lab.yaml:46:45: divisions[450100].served_by[0]: there is no site 'city1' (did you mean 'city-1'?)",
        'lab.yaml:49:12: divisions[横州市].code: must be a text in quotes, not a number (write "450181")',
        (
            "lab.yaml:75:55: departments[nn-qingxiu-edu].divison: this key is not known here "
            "(did you mean 'division'?)"
        ),
        (
            "lab.yaml:94:63: systems[nn-qingxiu-edu-enroll].department: there is no department "
            "'nn-qingxiu-ed' (did you mean 'nn-qingxiu-edu'?)"
        ),
        (
            "lab.yaml:112:29: quotas[department:gx-finance].limits.vcpu: 'vcpu' is none of: instances, "
            "vcpus, ram_mib, volumes, volume_gib, ports (did you mean 'vcpus'?)"
        ),
    ]


def test_the_offending_line_is_shown_with_a_caret_below_wide_characters_too() -> None:
    source = edited(("name: 兴宁区", "name: no"))
    shown = show(faults_of(source)).splitlines()
    assert shown[1:] == [
        '    47 |   - {code: "450102", name: no}',
        "       |                            ^",
    ]
    assert excerpt("名称: no", 3, 5).splitlines() == ["     3 | 名称: no", "       |       ^"]


def test_a_fault_that_comes_back_from_the_server_is_shown_beside_the_file_here() -> None:
    source = "version: 1\nsites: 云\n"
    told = "lab.yaml:2:8: sites: must be a list"
    shown = [told, "     2 | sites: 云", "       |        ^"]
    assert beside_source(told, source.encode()).splitlines() == shown
    assert beside_source(told, source.encode("gbk")).splitlines() == shown
    assert beside_source("plan: is stale", source.encode()) == "plan: is stale"
    assert beside_source("lab.yaml:9:1: x", source.encode()) == "lab.yaml:9:1: x"


def test_a_caret_in_a_very_long_line_stands_in_an_excerpt_of_it() -> None:
    line, caret = excerpt("x" * 5000 + "!" + "y" * 5000, 7, 5001).splitlines()
    assert len(line) < 120
    assert line[caret.index("^")] == "!"


@pytest.mark.parametrize(
    ("written", "meaning", "way_out"),
    [
        ("no", "false", 'write false for a no, "no" for text'),
        ("Yes", "true", 'write true for a yes, "Yes" for text'),
        ("off", "false", 'write false for a no, "off" for text'),
        ("y", "true", 'write true for a yes, "y" for text'),
        ("1:30", "a number to base 60", 'write "1:30" for text'),
        ("0755", "an octal number", 'write "0755" for a code, no leading zero for a number'),
        ("045010", "an octal number", 'write "045010" for a code, no leading zero for a number'),
        ("0x1F", "a number to another base", "write it in decimal"),
        ("0o17", "a number to another base", "write it in decimal"),
        ("1_000", "a number", "write the digits alone"),
        ("2026-11-21", "a date", 'write "2026-11-21" for text'),
    ],
)
def test_what_yaml_tools_read_differently_is_refused_with_what_to_write(
    written: str, meaning: str, way_out: str
) -> None:
    assert lines_of(edited(("title: 单位审批", f"title: {written}"))) == [
        (
            f"lab.yaml:127:31: approvals[department].title: {written} is read as {meaning} "
            f"by many YAML tools ({way_out})"
        )
    ]


def test_quoted_the_same_words_are_text() -> None:
    topology = load.read(edited(("title: 单位审批", 'title: "no"'), ("name: 兴宁区", "name: '0755'")))
    assert topology.approvals[1].title == "no"
    assert topology.divisions[2].name == "0755"


def test_a_word_for_a_yes_is_refused_as_a_key_too() -> None:
    assert lines_of(edited(("mlps_level: 2}", "mlps_level: 2, on: true}")))[0] == (
        "lab.yaml:90:86: systems[gx-finance-assets]: on is read as true by many YAML tools "
        '(write true for a yes, "on" for text)'
    )


def test_duplicate_keys_are_all_named_with_the_first_place() -> None:
    source = edited(
        ("    cloud: city-1", "    cloud: city-1\n    cloud: city-2\n    title: x"),
    )
    assert lines_of(source) == [
        "lab.yaml:33:5: sites[city-1].cloud: the key 'cloud' is here twice, first at line 32 (keep one)",
        "lab.yaml:34:5: sites[city-1].title: the key 'title' is here twice, first at line 30 (keep one)",
    ]


def test_a_byte_order_mark_is_no_fault_and_shifts_no_column() -> None:
    assert load.read(b"\xef\xbb\xbf" + PLAIN.read_bytes()) == load.read(PLAIN)
    marked = b"\xef\xbb\xbf" + b"version: 2\n"
    assert "lab.yaml:1:10: version: '2' is none of: 1" in lines_of(marked)


def test_windows_line_ends_change_nothing() -> None:
    assert load.read(PLAIN.read_bytes().replace(b"\n", b"\r\n")) == load.read(PLAIN)


def test_gbk_bytes_are_refused_with_the_way_out() -> None:
    source = "version: 1\nsites: # 云\n".encode("gbk")
    assert lines_of(source) == [
        (
            "lab.yaml:2:10: file: the bytes are GBK, and the file must be UTF-8 "
            "(convert it: iconv -f GB18030 -t UTF-8 lab.yaml > new.yaml)"
        )
    ]
    assert "sites: # 云" in show(faults_of(source))


def test_bytes_that_are_no_text_are_refused() -> None:
    assert lines_of(b"version: 1\nx: \xff\xff\xff\n") == [
        "lab.yaml:2:4: file: the bytes are not UTF-8, and the file must be (save it as UTF-8)"
    ]
    assert lines_of("version: 1\n".encode("utf-16")) == [
        "lab.yaml:1:1: is UTF-16, not UTF-8 (save it as UTF-8)"
    ]


def test_a_file_of_50_mb_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 2**20)
    with pytest.raises(BadInput) as caught:
        load.read(path, "big.yaml")
    assert [str(fault) for fault in caught.value.faults] == [
        "big.yaml: has 50.0 MiB; a topology has at most 4 MiB"
    ]


def _bomb() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for below, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]")
    return "\n".join(lines).encode()


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    assert lines_of(_bomb()) == ["lab.yaml:6:32: f[6]: written out, the file has more than 500000 values"]


def test_a_crowd_of_aliases_and_a_chain_of_them_are_refused() -> None:
    crowd = "a: &a x\nb: [" + ", ".join(["*a"] * 101) + "]"
    assert lines_of(crowd.encode())[0].endswith("more than 100 aliases")
    chain = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 90))
    assert lines_of(chain.encode())[0].endswith("aliases of aliases nest deeper than a topology ever is")


def test_a_few_aliases_are_fine() -> None:
    source = edited(
        ("limits: {instances: 20", "limits: &usual {instances: 20"),
        (
            "limits: {instances: 4, vcpus: 8, ram_mib: 16384, volumes: 12, volume_gib: 512, ports: 8}",
            "limits: *usual",
        ),
    )
    quotas = load.read(source).quotas
    assert quotas[2].limits == quotas[3].limits


def test_an_alias_without_an_anchor_is_a_fault() -> None:
    assert lines_of(edited(("title: 单位审批", "title: *nobody")))[0] == (
        "lab.yaml:127:31: approvals[department].title: there is no anchor &nobody above"
    )


def test_tabs_are_named_on_every_line_they_indent() -> None:
    source = edited(("    cloud: city-1", "\tcloud: city-1"), ("    role: city", "  \trole: city"))
    assert lines_of(source) == [
        "lab.yaml:31:1: file: a tab cannot indent (write spaces)",
        "lab.yaml:32:1: file: a tab cannot indent (write spaces)",
    ]


@pytest.mark.parametrize("case", CASES["no_topologies"], ids=lambda case: str(case["file"])[:30])
def test_a_file_that_is_no_topology_is_refused_at_its_place(case: dict[str, str]) -> None:
    assert case["fault"] in lines_of(case["file"].encode())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load.read(tmp_path / "none.yaml", "none.yaml")
    assert str(caught.value.faults[0]) == "none.yaml: cannot be read: No such file or directory"


def test_a_forgotten_section_is_refused_and_not_taken_for_nothing() -> None:
    source = PLAIN.read_text().replace("systems:\n", "sytems:\n")
    assert lines_of(source.encode()) == [
        "lab.yaml:83:1: sytems: this key is not known here (did you mean 'systems'?)"
    ]
    without = PLAIN.read_text()[: PLAIN.read_text().index("approvals:")]
    assert lines_of(without.encode()) == ["lab.yaml:10:1: file: the key 'approvals' is missing"]


@pytest.mark.parametrize("case", CASES["wrong_values"], ids=lambda case: str(case["new"])[:30])
def test_a_wrong_value_is_refused_in_words(case: dict[str, str]) -> None:
    assert case["fault"] in lines_of(edited((case["old"], case["new"])))


def test_a_condition_standing_alone_has_its_faults_at_its_line() -> None:
    source = edited(("when: {department_levels: [county, township]}", "when: {department_levels: [count]}"))
    assert lines_of(source) == [
        (
            "lab.yaml:126:33: approvals[county-review].when[0].department_levels[0]: 'count' is none of: "
            "province, city, county, township (did you mean 'county'?)"
        )
    ]


def test_no_more_than_200_faults_are_told_and_the_count_of_all() -> None:
    rows = "".join(f"  - {{code: x{n}, nam: y}}\n" for n in range(5000))
    with pytest.raises(BadInput) as caught:
        load.read(f"version: 1\ndepartments:\n{rows}".encode())
    assert len(caught.value.faults) == 200
    assert int(str(caught.value.params["count"])) > 5000


@pytest.mark.parametrize("translate", [str.upper, lambda text: text])
def test_words_can_be_translated(translate: Callable[[str], str]) -> None:
    fault = faults_of(edited(("role: city", "role: citi")))[0]
    assert fault.template == "{path}: '{given}' is none of: {choices}"
    assert fault.hint == "did you mean '{meant}'?"
