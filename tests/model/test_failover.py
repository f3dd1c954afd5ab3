"""The failover protocol: Spin goes through every order of events, and the code has the model's table."""

import re
import subprocess
from pathlib import Path

import pytest

from cloudctl.lifecycle import FAILOVER

MODEL = Path(__file__).resolve().parents[2] / "docs" / "model" / "failover.pml"


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def check(folder: Path, *defines: str) -> tuple[int, int]:
    """Errors found and states gone through, with these macros; all of the state space or the test fails."""
    run(folder, "spin", "-a", *(f"-D{define}" for define in defines), str(MODEL))
    run(folder, "gcc", "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
    said = run(folder, "./pan", "-m200000")
    assert "max search depth too small" not in said
    errors, states = re.search(r"errors: (\d+)", said), re.search(r"(\d+) states, stored", said)
    assert errors is not None and states is not None, said
    if int(errors[1]) == 0:
        assert "Search not completed" not in said
    return int(errors[1]), int(states[1])


_MORE_WRONG = ("EVICTS_ONLY", "TIMER_FROM_ANSWER", "OPENS_BLINDLY", "GIVES_BACK_TO_HOLDER", "SYNCS_BLINDLY")


def test_no_order_of_events_gives_two_writers_in_one_move(tmp_path: Path) -> None:
    errors, states = check(tmp_path, "MOVES=1")
    assert errors == 0
    assert states > 100_000


@pytest.mark.soak
def test_no_order_of_events_gives_two_writers_in_two_moves_with_one_break(tmp_path: Path) -> None:
    """With any number of breaks two moves have more states than a machine has room for."""
    errors, states = check(tmp_path, "MOVES=2", "BREAKS=1")
    print(f"two moves at once or one after the other, one thing breaks: {states} states, {errors} errors")
    assert errors == 0
    assert states > 3_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        "WAIT=4",
        "TRUSTS_SILENCE",
        *(pytest.param(one, marks=pytest.mark.soak) for one in _MORE_WRONG),  # each is compiled anew
    ],
)
def test_a_protocol_that_is_wrong_is_found_out(wrong: str, tmp_path: Path) -> None:
    assert check(tmp_path, wrong, "BREAKS=1")[0] > 0


@pytest.mark.parametrize("end", ["NO_PLANNED_END", "NO_UNPLANNED_END"])
def test_both_kinds_of_move_come_to_their_end(end: str, tmp_path: Path) -> None:
    assert check(tmp_path, end, "MOVES=1")[0] > 0


def test_the_table_of_the_code_is_the_table_of_the_model() -> None:
    rows = re.findall(r"T: (\w+) (\w+) (\w+)", MODEL.read_text())
    assert len(rows) == len(set(rows))
    assert set(rows) == {(row.source.value, row.event, row.target.value) for row in FAILOVER}
