"""The report of a drill or a move: figures as they are, levels for what they are, and checked as a file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from cloudctl.secrets import Signer
from cloudctl.texts import has_entry
from dr.drills import verdict
from dr.drills.parts import Progress, Stand
from dr.plans.document import Part, Serving, Way
from dr.reports import levels, levels_file, page, sealing
from dr.reports.assembling import Canary, CheckTold, assemble, rpo_of
from dr.reports.recovery_time import SEGMENTS, Touch
from dr.reports.recovery_time import measure as measured
from dr.sentinels.loss import Loss
from tests.dr_reports import a_document, a_drill, a_loss, a_move

TABLE = levels_file.table()
UP = {name: Stand(Progress.ANSWERED) for name in ("database", "web")}
DOWN = {**UP, "web": Stand(Progress.FAILED, why="no answer within 600 s: web1")}
LATE = {**UP, "web": Stand(Progress.LEFT_OUT)}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.of(tmp_path / "points.key")


# -- figures and verdict


def test_figures_stand_beside_their_objectives() -> None:
    report = assemble(a_drill(), TABLE)
    assert (report["rpo_s"], report["rpo_by"], report["rto_s"]) == (84.2, "sentinels", 173.6)
    assert report["objectives"] == {"rpo_s": 900, "rto_s": 1800, "is_rpo_met": True, "is_rto_met": True}
    assert report["recovery_time"]["not_exercised"] == ["detect", "decide", "fence", "traffic"]
    assert report["left_behind"] == []
    assert {"verdict", "rpo_s", "rto_s", "checks", "timeline", "left_behind"} <= report.keys()


def test_the_same_values_give_the_same_document() -> None:
    assert sealing.sha256_of(assemble(a_drill(), TABLE)) == sealing.sha256_of(assemble(a_drill(), TABLE))
    assert json.loads(json.dumps(assemble(a_drill(), TABLE))) == assemble(a_drill(), TABLE)


def test_more_lost_than_the_objective_allows_is_a_failure_whatever_the_checks_said() -> None:
    report = assemble(a_drill(loss=a_loss(rpo_s=901.0)), TABLE)
    assert report["verdict"] == "failed"
    assert report["why"] == "RPO 901 s instead of 900 s"


def test_records_that_are_not_those_written_are_a_failure() -> None:
    assert assemble(a_drill(loss=a_loss(is_genuine=False)), TABLE)["verdict"] == "failed"


def test_what_did_not_pass_stays_so() -> None:
    report = assemble(a_drill(verdict="inconclusive", why="it is not cut off: 10.1.0.1"), TABLE)
    assert (report["verdict"], report["levels"]["by_elements"]["plan"]) == ("inconclusive", 2)


def test_a_drill_that_was_broken_off_before_anything_was_read_counts_no_loss() -> None:
    unread = a_loss(rpo_s=515.9, is_at_least=True, why="the sentinels could not be read back")
    report = assemble(a_drill(verdict="inconclusive", loss=unread), TABLE)
    assert report["rpo_s"] == 82.0, "the age of what was rehearsed"
    counted = assemble(a_drill(verdict="failed", loss=unread), TABLE)
    assert counted["rpo_s"] == 515.9
    assert counted["statistics"]["rpo"]["n"] == report["statistics"]["rpo"]["n"] + 1


def test_without_sentinels_the_age_of_the_point_counts_and_says_so() -> None:
    report = assemble(a_drill(loss=None), TABLE)
    assert (report["rpo_s"], report["rpo_by"]) == (82.0, "point")
    silent = Loss(None, 0.0, 0.001, 0, 0, 0, 0, 0, None, why="nothing was acknowledged before it")
    assert rpo_of(a_drill(loss=silent)) == 82.0
    nothing = assemble(a_drill(loss=None, point_age_s=None), TABLE)
    assert (nothing["rpo_s"], nothing["objectives"]["is_rpo_met"]) == (None, None)


def test_whether_a_drill_was_cut_off_is_known_only_where_it_was_tried() -> None:
    assert Canary(()).is_cut_off is None
    assert Canary(("10.0.0.1",)).is_cut_off is True
    assert Canary(("10.0.0.1",), {"10.0.0.1": "echo"}).is_cut_off is False
    assert Canary(("10.0.0.1",), {}, ("router 7",)).is_cut_off is False


# -- levels


def test_the_table_has_six_levels_and_says_what_it_is() -> None:
    assert [one.level for one in TABLE.levels] == [1, 2, 3, 4, 5, 6]
    assert len(TABLE.elements) == 7
    assert set(TABLE.not_judged) | set(TABLE.reach) == set(TABLE.elements)
    assert TABLE.succeeded_by == {
        "edition": "GB/T 20988-2025", "issued": "2025-06-30", "in_force": "2026-01-01", "has_figures": False,
    }  # fmt: skip
    for one in TABLE.levels:
        assert set(one.marks.values()) <= {"quoted", "repeated", "recalled"}
    assert all(source["mark"] in ("quoted", "repeated", "recalled") for source in TABLE.sources)


@pytest.mark.parametrize(
    ("rpo_s", "rto_s", "level"),
    [
        (0, 60, 6),
        (0, 7200, 5),
        (1800, 172_800, 5),
        (1801, 60, 4),
        (86_400, 172_801, 3),
        (86_401, 60, 2),
        (None, 60, None),
    ],
)
def test_figures_stand_where_the_example_has_them(
    rpo_s: float | None, rto_s: float, level: int | None
) -> None:
    assert levels.by_figures(TABLE, rpo_s, rto_s) == level


def test_the_lowest_element_holds_a_system_down() -> None:
    judged = levels.judge(TABLE, a_document(), 10, 60, has_passed=True)
    assert (judged["by_figures"], judged["reached"]) == (5, 4)
    assert judged["held_down_by"] == ["data_backup", "processing"]
    assert judged["not_judged"] == ["facilities", "support", "operations"]


def test_figures_may_hold_it_down_themselves() -> None:
    judged = levels.judge(TABLE, a_document(), 80_000, 400_000, has_passed=True)
    assert (judged["reached"], judged["held_down_by"]) == (3, ["figures"])


def test_a_system_that_is_written_at_both_sites_with_a_third_to_vote_is_held_down_by_nothing_seen() -> None:
    part = Part("db", ("db1",), way=Way.APPLICATION, serving=Serving.MULTI_WRITER)
    judged = levels.judge(TABLE, a_document(parts=(part,)), 0, 60, has_passed=True)
    assert (judged["by_figures"], judged["reached"]) == (6, 6)


def test_without_a_drill_that_passed_a_plan_is_paper() -> None:
    assert levels.judge(TABLE, a_document(), 10, 60, has_passed=False)["reached"] == 2


# -- the file


def test_a_sealed_report_is_checked_as_json_and_as_page(signer: Signer) -> None:
    sealed = sealing.seal(assemble(a_drill(), TABLE), signer)
    for content in (sealing.text_of(sealed), page.render(sealed), page.render(sealed, "en")):
        loaded = sealing.loaded(content.encode())
        assert loaded is not None
        assert loaded == sealed
        assert sealing.faults_of(loaded, [signer.public]) == []


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"verdict": "failed"}, {"changed", "bad_signature"}),
        ({"rto_s": 1.0}, {"changed", "bad_signature"}),
        ({"format": "other"}, {"unknown", "changed", "bad_signature"}),
    ],
)
def test_whatever_is_changed_shows(signer: Signer, change: dict[str, object], codes: set[str]) -> None:
    sealed = sealing.seal(assemble(a_drill(), TABLE), signer)
    forged = {**sealed, "report": {**sealed["report"], **change}}
    assert {one.code for one in sealing.faults_of(forged, [signer.public])} == codes


def test_a_report_hashed_anew_or_signed_by_another_is_found(signer: Signer, tmp_path: Path) -> None:
    sealed = sealing.seal(assemble(a_drill(), TABLE), signer)
    changed = {**sealed["report"], "rto_s": 1.0}
    anew = {**sealed, "report": changed, "sha256": sealing.sha256_of(changed)}
    assert [one.code for one in sealing.faults_of(anew, [signer.public])] == ["bad_signature"]
    other = sealing.seal(changed, Signer.of(tmp_path / "other.key"))
    assert [one.code for one in sealing.faults_of(other, [signer.public])] == ["unknown_signer"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"<html></html>", b'{"report": 3}'])
def test_what_is_no_report_is_none(content: bytes) -> None:
    assert sealing.loaded(content) is None


def test_no_text_ends_the_element_in_which_the_report_stands(signer: Signer) -> None:
    given = a_drill(reason="</script><script>alert(1)</script>", checks=[CheckTold("x", False, "<b>&amp;")])
    sealed = sealing.seal(assemble(given, TABLE), signer)
    made = page.render(sealed)
    assert made.count("</script>") == 1
    assert "<b>" not in made
    assert sealing.loaded(made.encode()) == sealed


# -- the page


def test_the_page_says_what_was_not_exercised_and_what_the_table_is(signer: Signer) -> None:
    made = page.render(sealing.seal(assemble(a_drill(), TABLE), signer))
    for words in (
        "灾备演练报告", "自治区财政厅预算管理一体化系统", "本次未演练", "待核", "GB/T 20988-2025", "示例",
        "由单位自行评估", "已全部清理", "1 分钟 25 秒", "1 分钟 15 秒",
    ):  # fmt: skip
        assert words in made, words


def test_a_drill_that_never_recovered_says_longer_than(signer: Signer) -> None:
    time = measured([], until_s=600.0, fault_s=0.0)
    given = a_drill(verdict="failed", why="no answer within 600 s: db1", time=time,
                    loss=a_loss(is_at_least=True))  # fmt: skip
    made = page.render(sealing.seal(assemble(given, TABLE), signer), "en")
    assert "&gt; 10 min" in made
    assert "≥ 1 min 25 s" in made
    assert "They never passed: it took longer than 10 min." in made


def test_an_assisted_drill_and_a_leak_are_said_in_red(signer: Signer) -> None:
    given = a_drill(canary=Canary(("10.0.0.1",), {"10.0.0.1": "echo"}), left_behind=["volume 7"])
    time = (
        replace(given.time, touches=(Touch("10:12", "dora", "restarted the database"),))
        if given.time
        else None
    )
    made = page.render(sealing.seal(assemble(replace(given, time=time), TABLE), signer), "en")
    for words in ("assisted by hand", "restarted the database", "It was not cut off: 10.0.0.1", "volume 7"):
        assert words in made, words


def test_a_move_tells_who_approved_it_and_how_the_old_site_was_fenced(signer: Signer) -> None:
    made = page.render(sealing.seal(assemble(a_move(), TABLE), signer))
    for words in ("应急灾备切换报告", "云管理员", "同意", "lease", "日历时钟"):
        assert words in made, words


def test_every_word_of_the_page_has_chinese() -> None:
    text = (ROOT / "dr/reports/templates/report.html").read_text(encoding="utf-8")
    said = [one[2] for one in extract_from_ast(Environment().parse(text), ["_"])]
    texts = {one[0] if isinstance(one, tuple) else one for one in said}
    assert not [
        one for one in texts if one and any(letter.isalpha() for letter in one) and not has_entry(one)
    ]
    for segment in SEGMENTS:
        assert has_entry(segment, "recovery segment")
    for state in ("waiting", "starting", "asked", "answered", "failed", "blocked", "left_out"):
        assert has_entry(state, "part state")


def test_lengths_of_time_are_never_said_shorter_than_they_were_measured() -> None:
    words = page.Wording("en")
    assert [words.span(one) for one in (None, 0.0, 3.25, 59.9, 60, 3_725, 90_000)] == [
        "—", "0 s", "3.25 s", "59.9 s", "1 min", "1 h 2 min 5 s", "1 d 1 h",
    ]  # fmt: skip
    assert [words.span(one) for one in (0.0071, 0.9991, 0.9999, 6.923199, 36.19, 59.991, 59.9991)] == [
        "0.008 s", "1 s", "1 s", "6.93 s", "36.19 s", "1 min", "1 min",
    ]  # fmt: skip
    assert words.percent(0.95049) == "95.04 %"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("database: no answer within 600 s: db1, db2; web: web1 could not be started: no host",
         "database: 600 秒内未应答：db1, db2; web: web1 无法启动：no host"),
        ("RPO 1200 s instead of 900 s", "RPO 实测 1200 秒，目标 900 秒"),
        ("the check did not pass: http://web1:80/health@10.1.0.5", "检查未通过：http://web1:80/health@10.1.0.5"),
        ("something: else", "something: else"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_reason_is_said_in_chinese_as_far_as_its_words_are_known(why: str, said: str) -> None:
    assert page.Wording("zh").why(why) == said
    assert page.Wording("en").why(why) == why


def test_what_drills_write_as_their_reason_is_known() -> None:
    """A new reason needs a template in dr/reports/whys.py, or Chinese readers get English."""
    known = [verdict.conclude(a_document(), stands, [], [], None, None).why for stands in (DOWN, LATE)]
    known += [verdict.breach(["10.1.0.1"]).why]
    known += [verdict.conclude(a_document(), UP, ["http://web1"], [], None, None).why]
    known += [verdict.conclude(a_document(), UP, [], ["http://web1"], None, None).why]
    known += [verdict.conclude(a_document(), UP, [], [], 1e6, 1e6).why]
    for why in known:
        assert why
        assert page.Wording("zh").why(why) != why, why
