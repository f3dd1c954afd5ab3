"""Holding file systems still, and the timer that lets go: real processes; only the freezing is pretended."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.unit.playbook_modules import load

MOUNTINFO = """\
22 1 254:1 / / rw,noatime - ext4 /dev/vda1 rw
23 22 0:5 / /dev rw - devtmpfs dev rw
24 22 254:16 / /srv/data rw,noatime - ext4 /dev/vdb rw
25 22 254:16 / /srv/again rw,noatime - ext4 /dev/vdb rw
26 22 254:32 / /srv/with\\040space rw shared:1 - xfs /dev/vdc rw
27 22 254:48 / /var/log rw - ext4 /dev/vdd rw
28 22 254:64 / /var/lib/postgresql rw - ext4 /dev/vde rw
29 22 0:20 / /run rw - tmpfs tmpfs rw
"""


class Bench:
    """The module over directories whose freezing is a file in them, and a clock of its own kind."""

    def __init__(self, place: Path) -> None:
        self.hold = load("hold")
        self.mounts = [str(place / "one"), str(place / "two")]
        for mount in self.mounts:
            os.mkdir(mount)
        self.broken = ""
        self.hold.PLACE = str(place / "run")
        self.hold.ioctl = self._ioctl
        self._clock = place / "clock"  # the timer is another process: it reads the time where we write it
        self._clock.write_text("1000")
        self.hold.now_s = lambda: float(self._clock.read_text())

    def advance(self, seconds: float) -> None:
        later = self._clock.with_suffix(".new")
        later.write_text(str(self.hold.now_s() + seconds))
        later.replace(self._clock)

    def _ioctl(self, descriptor: int, what: int) -> None:
        """As strict as the kernel; works in the forked timer as well."""
        mark = Path(os.readlink(f"/proc/self/fd/{descriptor}")) / "frozen"
        if what == self.hold.FREEZE:
            if self.broken and str(mark).startswith(self.broken):
                raise OSError(errno.EIO, "Input/output error")
            if mark.exists():
                raise OSError(errno.EBUSY, "Device or resource busy")
            mark.touch()
        elif mark.exists():
            mark.unlink()
        else:
            raise OSError(errno.EINVAL, "Invalid argument")

    def frozen(self) -> list[bool]:
        return [(Path(mount) / "frozen").exists() for mount in self.mounts]

    def freeze(self, point: str = "p1", hold_s: float = 60.0) -> dict[str, object]:
        told: dict[str, object] = self.hold.hold(point, hold_s, self.mounts, False)
        return told

    @property
    def timer(self) -> int:
        return int(self.hold.read()["timer"])

    def until(self, is_so: Callable[[], bool]) -> None:
        """Real processes take real time: asked again, for as long as a busy machine may need."""
        pause = Event()
        for _ in range(600):
            if is_so():
                return
            pause.wait(0.05)
        raise AssertionError("waited in vain")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    timer = made.hold.read().get("timer", 0)
    if timer and made.hold.birth(timer):
        os.kill(timer, signal.SIGKILL)


def test_data_file_systems_are_those_on_disks_of_their_own_each_once() -> None:
    mounts = load("hold").data_mounts(MOUNTINFO)
    assert mounts == ["/srv/data", "/srv/with space", "/var/lib/postgresql"]


def test_what_is_frozen_is_thawed_and_said_to_have_been_held(bench: Bench) -> None:
    assert bench.freeze()["changed"] is True
    assert bench.frozen() == [True, True]
    timer = bench.timer
    assert bench.hold.birth(timer)
    assert bench.hold.release("p1") == {"changed": True, "was_held": True}
    assert bench.frozen() == [False, False]
    bench.until(lambda: not bench.hold.birth(timer))


def test_again_changes_nothing_and_tells_the_same(bench: Bench) -> None:
    bench.freeze()
    timer = bench.timer
    assert bench.freeze()["changed"] is False
    assert bench.timer == timer
    bench.hold.release("p1")
    assert bench.hold.release("p1") == {"changed": False, "was_held": True}


def test_the_timer_thaws_by_itself_when_nobody_comes(bench: Bench) -> None:
    bench.freeze()
    bench.advance(59)
    assert bench.frozen() == [True, True]
    bench.advance(1)
    bench.until(lambda: bench.frozen() == [False, False])
    bench.until(lambda: bench.hold.read()["state"] == "expired")
    assert bench.hold.release("p1") == {"changed": False, "was_held": False}


def test_the_timer_thaws_when_the_server_is_shut_down(bench: Bench) -> None:
    bench.freeze()
    os.kill(bench.timer, signal.SIGTERM)
    bench.until(lambda: bench.frozen() == [False, False])


def test_a_freeze_that_dies_half_way_is_thawed_by_the_timer(bench: Bench) -> None:
    child = os.fork()
    if child == 0:
        freeze = bench.hold.ioctl

        def dying(descriptor: int, what: int) -> None:
            freeze(descriptor, what)
            os.kill(os.getpid(), signal.SIGKILL)

        bench.hold.ioctl = dying
        bench.freeze()
        os._exit(0)
    os.waitpid(child, 0)
    assert bench.frozen() == [True, False]
    bench.advance(60)
    bench.until(lambda: bench.frozen() == [False, False])


def test_when_one_cannot_be_frozen_none_is(bench: Bench) -> None:
    bench.broken = bench.mounts[1]
    with pytest.raises(bench.hold.Failure, match="Input/output error"):
        bench.freeze()
    assert bench.frozen() == [False, False]
    assert bench.hold.release("p1")["was_held"] is False


def test_without_a_timer_nothing_is_frozen(bench: Bench) -> None:
    def dead(_mounts: object, _state: object, _armed: object) -> None:
        os._exit(1)

    bench.hold.keep_time = dead
    with pytest.raises(bench.hold.Failure, match="nothing was frozen"):
        bench.freeze()
    assert bench.frozen() == [False, False]


def test_what_is_held_for_one_point_is_not_touched_for_another(bench: Bench) -> None:
    bench.freeze("p1")
    with pytest.raises(bench.hold.Failure, match="held for p1"):
        bench.freeze("p2")
    assert bench.hold.release("p2") == {"changed": False, "was_held": False}
    assert bench.frozen() == [True, True]
    assert bench.hold.release("p1")["was_held"] is True


def test_a_hold_whose_timer_was_killed_no_longer_counts_and_can_be_taken_anew(bench: Bench) -> None:
    bench.freeze("p1")
    os.kill(bench.timer, signal.SIGKILL)
    bench.until(lambda: not bench.hold.birth(bench.timer))
    assert bench.freeze("p2")["changed"] is True
    assert bench.hold.release("p2")["was_held"] is True
    assert bench.frozen() == [False, False]


def test_what_somebody_else_froze_is_left_to_them(bench: Bench) -> None:
    mark = Path(bench.mounts[1]) / "frozen"
    mark.touch()
    with pytest.raises(bench.hold.Failure, match="somebody else"):
        bench.freeze()
    assert bench.frozen() == [False, True]
