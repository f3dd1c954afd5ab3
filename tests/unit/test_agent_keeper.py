"""The keeper: writers run while a lease lasts, and stand still before it ends, whatever hangs."""

import os
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dr.agents.keeper_script import KILL, RUN, STOP, Keeper, Watchdog, Writers, may_pet, phase
from dr.agents.timing import LEAST_LEASE_S, is_over, misses, timing, writes_s
from dr.failover.timing import wait_s

TIMES = timing(30)
CONFIG = {"timing": vars(TIMES)}


@dataclass
class Machine:
    """Stands in for the program with the writers: what it was told, and whether they run."""

    runs: bool = False
    obeys: bool = True
    told: list[str] = field(default_factory=list)
    _word: str = ""

    def is_busy(self, word: str, now: float) -> bool:
        return False

    def begin(self, word: str, now: float) -> None:
        self._word = word
        if word != "runs":
            self.told.append(word)
        if word == "start":
            self.runs = True
        elif word in (STOP, KILL) and self.obeys:
            self.runs = False

    def result(self, word: str) -> int | None:
        if word != self._word:
            return None
        return int(not self.runs) if word == "runs" else 0

    def end(self) -> None:
        self._word = ""

    def kill_starts(self) -> None:
        pass

    def is_starting(self) -> bool:
        return False

    def forget(self) -> None:
        pass


@dataclass
class Scene:
    """A keeper with its machine; `at` lets it turn for a while at a moment."""

    machine: Machine = field(default_factory=Machine)
    signs: list[dict[str, object]] = field(default_factory=list)
    config: dict[str, object] = field(default_factory=lambda: dict(CONFIG))

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.config, self.machine, Watchdog("", 5), self.signs.append)  # type: ignore[arg-type]

    def at(self, now: float, turns: int = 6) -> dict[str, object]:
        for _ in range(turns):
            self.keeper.turn(now)
        return self.signs[-1]


def test_without_a_lease_writers_that_are_found_are_killed() -> None:
    scene = Scene(Machine(runs=True))
    assert scene.at(100.0) == {"n": 0, "phase": KILL, "still": True}
    assert scene.machine.told == [KILL]


def test_a_lease_starts_the_writers_and_its_renewal_keeps_them() -> None:
    scene = Scene()
    scene.at(100.0)
    for number, now in enumerate((101.0, 104.0, 107.0)):
        scene.keeper.take({"n": number, "until": now + 30}, now)
        assert scene.at(now) == {"n": number, "phase": RUN, "still": False}
    assert scene.machine.runs
    assert scene.machine.told == [KILL, "start"]


def test_a_lease_that_is_not_renewed_ends_the_writers_before_it_ends() -> None:
    scene = Scene()
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.at(100.0)
    assert scene.at(119.9)["phase"] == RUN
    assert scene.at(120.1) == {"n": 1, "phase": STOP, "still": True}
    assert not scene.machine.runs


def test_writers_that_do_not_stop_are_killed_while_the_lease_lasts() -> None:
    scene = Scene(Machine(obeys=False))
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.at(100.0)
    assert scene.at(120.1) == {"n": 1, "phase": STOP, "still": False}
    scene.machine.obeys = True
    assert scene.at(125.1)["still"] is True
    assert scene.machine.told[-1] == KILL


def test_writers_that_nothing_kills_cost_the_machine_its_life_before_the_lease_is_over(
    tmp_path: Path,
) -> None:
    trigger = tmp_path / "sysrq-trigger"
    scene = Scene(Machine(obeys=False), config={**CONFIG, "reset": str(trigger)})
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.at(100.0)
    scene.at(125.1)
    assert not trigger.exists()
    scene.at(127.6)
    assert trigger.read_text() == "b"


def test_stopping_is_seen_anew_and_answered_with_its_number() -> None:
    scene = Scene()
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.at(100.0)
    scene.keeper.take({"n": 2, "until": 0}, 101.0)
    assert scene.at(101.0) == {"n": 2, "phase": STOP, "still": True}
    scene.machine.runs = True
    scene.keeper.take({"n": 3, "until": 0}, 102.0)
    scene.keeper.turn(102.0)
    assert scene.signs[-1] == {"n": 3, "phase": STOP, "still": False}
    assert scene.at(102.0) == {"n": 3, "phase": STOP, "still": True}


def test_an_order_to_stop_never_lengthens_what_is_left_of_a_lease() -> None:
    scene = Scene()
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.keeper.take({"n": 2, "until": 0}, 124.0)
    assert scene.keeper.until == 130.0
    scene.keeper.take({"n": 3, "until": 0}, 105.0)
    assert scene.keeper.until == 115.0


def test_writers_that_end_by_themselves_are_started_again_and_one_started_by_hand_is_killed() -> None:
    scene = Scene()
    scene.keeper.take({"n": 1, "until": 130.0}, 100.0)
    scene.at(100.0)
    scene.machine.runs = False
    scene.at(104.0)
    assert scene.machine.told.count("start") == 2
    scene.at(140.0)
    scene.machine.runs = True
    scene.at(150.0)
    assert not scene.machine.runs


def test_a_lease_goes_on_while_the_whole_machine_is_paused_where_the_host_tells_its_time() -> None:
    scene, host = Scene(), [5000.0]
    scene.keeper.host_clock = lambda: host[0]
    assert scene.at(100.0)["host"] == 5000.0
    scene.keeper.take({"n": 1, "until": 130.0, "host": 5030.0}, 100.0)
    host[0] = 5001.0
    assert scene.at(101.0)["phase"] == RUN
    host[0] = 5101.0  # paused for 100 s, of which its own clock knows nothing
    assert scene.at(101.1) == {"n": 1, "phase": KILL, "still": True, "host": 5101.0}
    scene.keeper.take({"n": 2, "until": 131.2, "host": 5030.5}, 101.2)  # asked before, answered after
    assert scene.at(101.2)["phase"] == KILL
    scene.keeper.take({"n": 3, "until": 132.0, "host": 5132.0}, 102.0)
    assert scene.at(102.0)["phase"] == RUN
    host[0] = 4000.0  # set back by somebody: the machine's own clock still ends it
    assert scene.at(131.0)["phase"] == KILL


def test_a_clock_of_the_host_that_is_gone_ends_the_lease_that_was_counted_by_it() -> None:
    scene = Scene()
    scene.keeper.take({"n": 1, "until": 130.0, "host": 5030.0}, 100.0)
    assert scene.at(100.0)["phase"] == KILL
    scene.keeper.take({"n": 2, "until": 131.0}, 101.0)
    assert scene.at(101.0)["phase"] == RUN


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["grant", "stop", "nothing"])), max_size=30),
    st.floats(LEAST_LEASE_S, 60),
)
def test_no_writer_runs_at_the_end_of_the_newest_lease(
    steps: list[tuple[float, str]], lease_s: float
) -> None:
    times = timing(lease_s)
    scene, now, until = Scene(config={"timing": vars(times)}), 1000.0, 0.0
    for number, (passed, what) in enumerate(steps, 1):
        end = now + passed
        while now < end:
            now = min(end, now + times.tick_s * 8)
            scene.at(now, turns=4)
            if now >= until - times.hard_s + times.tick_s * 8:
                assert not scene.machine.runs
        if what == "grant":
            until = now + lease_s
            scene.keeper.take({"n": number, "until": until}, now)
        elif what == "stop":
            scene.keeper.take({"n": number, "until": 0}, now)


def test_the_phases_of_a_lease_follow_each_other() -> None:
    assert [phase(now, 130.0, 10, 5) for now in (100, 119.9, 120, 124.9, 125, 131)] == [
        RUN, RUN, STOP, STOP, KILL, KILL,
    ]  # fmt: skip


def test_a_watchdog_bites_before_the_lease_is_over_and_never_while_nothing_runs(tmp_path: Path) -> None:
    assert may_pet(100, 130, 5, is_still=False)
    assert may_pet(125, 130, 5, is_still=False)
    assert not may_pet(125.1, 130, 5, is_still=False)
    assert may_pet(500, 130, 5, is_still=True)
    device = tmp_path / "watchdog"
    device.touch()
    watchdog = Watchdog(str(device), 5)
    watchdog.pet()
    watchdog.close()
    assert device.read_bytes() == b"\0V"


@pytest.mark.parametrize("lease_s", [LEAST_LEASE_S, 30, 300])
def test_who_waits_sees_the_end_of_writing_with_both_clocks_at_their_worst(lease_s: float) -> None:
    times, drift = timing(lease_s), 0.01
    longest = writes_s(times, drift, kill_s=times.hard_s - times.silence_s - 2 * times.tick_s)
    assert longest <= lease_s / (1 - drift)
    assert is_over(wait_s(lease_s, drift), longest, drift)
    assert times.silence_s + 2 * times.tick_s < times.hard_s < times.soft_s < lease_s
    assert misses(times) >= 2


def test_in_ticks_the_inequality_is_that_of_the_model() -> None:
    """TTL=2 with a tick lost by a slow clock; WAIT=5 with a tick won by a fast one. Spin refutes WAIT=4."""
    ttl, lost, won = 2, 1, 1
    assert next(wait for wait in range(1, 9) if wait - won > ttl + lost) == 5


def test_a_lease_that_no_process_can_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        timing(1)


@pytest.mark.parametrize("start", ["{slow}", "setsid --wait {slow}", "{slow} & exit 0"])
def test_a_start_that_is_on_its_way_starts_nothing_after_the_writers_are_said_to_stand_still(
    tmp_path: Path, start: str
) -> None:
    slow, gate, mark = tmp_path / "slow", tmp_path / "gate", tmp_path / "writes"
    begun, program = tmp_path / "begun", tmp_path / "writers"
    os.mkfifo(gate)
    slow.write_text(f"#!/bin/sh\ntouch {begun}\nread _ < {gate}\ntouch {mark}\n")
    program.write_text(
        f"#!/bin/sh\ncase $1 in\nstart) {start.format(slow=slow)};;\nruns) [ -e {mark} ];;\nesac\n"
    )
    for one in (slow, program):
        one.chmod(0o755)
    writers, signs = Writers(str(program), 5), list[dict[str, object]]()
    keeper = Keeper(dict(CONFIG), writers, Watchdog("", 5), signs.append)
    keeper.take({"n": 1, "until": 130.0}, 100.0)
    await_turns(keeper, 100.0, begun.exists)
    for _ in range(5):  # asked to stop: the start is let go on
        keeper.turn(121.0)
        assert not keeper.is_still()
    await_turns(keeper, 125.5, keeper.is_still)  # killed
    with pytest.raises(OSError, match="No such device"):  # nobody waits at the gate any more
        os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    assert not mark.exists()


def await_turns(keeper: Keeper, now: float, happened: Callable[[], bool]) -> None:
    """Turn until it happened."""
    for _ in range(2000):
        keeper.turn(now)
        if happened():
            return
        select.select([], [], [], 0.005)
    raise AssertionError("it never happened")
