"""What the words of a probe mean: isolation first, then who booted, then what the application says."""

import pytest

from dr.isolated.checks import Check
from dr.isolated.probe import Errand, Question, Report, Target
from dr.isolated.watching import judge

VM1, VM2 = Target("vm1", "", "10.0.0.7"), Target("vm2", "", "10.0.0.8")
ASKED = Question(Check("tcp", 80, "vm1"), VM1)
ERRAND = Errand((VM1, VM2), (ASKED,), ("10.0.0.1",))
UP = {"vm1": "echo", "vm2": "port 22 refused"}
RIGHT, WRONG = {ASKED.id: (True, "open")}, {ASKED.id: (False, "refused")}


def test_everything_right_is_the_level_that_was_asked_for() -> None:
    for level in ("L3", "L4"):
        verdict = judge(level, ERRAND, (), Report(1, UP, RIGHT), (), is_late=False)
        assert verdict is not None
        assert (verdict.state, verdict.reached) == ("passed", level)
        assert verdict.details["canary"] == {"tried": ["10.0.0.1"], "answered": {}, "ways_out": []}


@pytest.mark.parametrize(
    ("report", "ways_out"),
    [
        (Report(4, UP, RIGHT, {"10.0.0.1": "echo"}), ()),
        (Report(4, UP, RIGHT), ("router r1",)),
        (None, ("shared",)),
    ],
)
def test_what_is_not_cut_off_proves_nothing_however_well_it_answers(
    report: Report | None, ways_out: tuple[str, ...]
) -> None:
    verdict = judge("L4", ERRAND, (), report, ways_out, is_late=False)
    assert verdict is not None
    assert (verdict.state, verdict.reached, verdict.is_breached) == ("inconclusive", None, True)


@pytest.mark.parametrize("report", [None, Report(1, {"vm1": "echo"}, RIGHT), Report(2, UP, WRONG)])
def test_what_may_still_come_is_waited_for(report: Report | None) -> None:
    assert judge("L4", ERRAND, (), report, (), is_late=False) is None


def test_when_the_time_is_over_each_silence_means_something_else() -> None:
    said = [
        judge("L4", ERRAND, (), report, (), is_late=True)
        for report in (None, Report(9, {"vm1": "echo", "vm2": ""}, RIGHT), Report(9, UP, WRONG))
    ]
    assert [(one.state, one.reached) for one in said if one] == [
        ("inconclusive", None), ("failed", None), ("failed", "L3"),
    ]  # fmt: skip
    assert said[1] is not None
    assert "vm2" in said[1].why


def test_without_checks_or_with_one_of_no_server_level_four_stays_open() -> None:
    nothing = Errand((VM1, VM2), (), ())
    for errand, lost in ((nothing, ()), (ERRAND, (Check("tcp", 25, "mail"),))):
        verdict = judge("L4", errand, lost, Report(1, UP, RIGHT), (), is_late=False)
        assert verdict is not None
        assert (verdict.state, verdict.reached) == ("inconclusive", "L3")
