"""What may break between three places, one case after the other, and what it cost: writers at once, and none.

Each case is a group of its own: the province writes, something breaks, and a controller at the city moves the
group there as docs/model/failover.pml says (seize, wait for the word or for the lease, open), if it can.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import dr.agents
from cloudctl.errors import Conflict, WitnessUnavailable
from cloudctl.ports import Register
from dr.agents.timing import timing
from dr.failover.timing import wait_s
from provisioning.drivers.etcd_witness import EtcdWitness
from tests.cuts import LINKS, Places, until

LEASE_S = 6.0
STOP_S = 1.0  # our writer is killed at once
OLD, NEW = "province", "city-1"
_RAN_ON_NS = 100_000_000  # the longest between two lines of a writer that ran on; on a busy machine too
_SCRIPTS = Path(dr.agents.__file__).parent

_WRITER = """import os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while True:
    os.write(log, b"%d\\n" % time.monotonic_ns())
    time.sleep(0.005)
"""
_PROGRAM = """#!/bin/sh
pid=$(cat {pid} 2>/dev/null)
case $1 in
start) kill -0 "$pid" 2>/dev/null && exit 0
       setsid {python} -S {writer} {log} </dev/null >/dev/null 2>&1 & echo $! >{pid};;
stop) kill -TERM "$pid" 2>/dev/null; exit 0;;
kill) kill -KILL "$pid" 2>/dev/null; exit 0;;
runs) kill -0 "$pid" 2>/dev/null || exit 1;;
esac
"""


@dataclass(frozen=True)
class Outcome:
    """What a case came to. Seconds by the one clock of the machine."""

    name: str
    moved: bool
    overlap_s: float  # both sites wrote
    silence_s: float  # nobody wrote, from what broke until somebody did again for good
    proof: str  # how the controller knew that the old site stands still
    late: int = 0  # lines of the old site after the first of the new one


@dataclass
class Group:
    """One group with its writers and agents at the two sites."""

    places: Places
    home: Path
    name: str = field(default_factory=lambda: f"plan-{uuid4().hex[:8]}")
    agents: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def begin(self, clock_env: dict[str, str]) -> None:
        """The register gives the group to the province; agents and the first writer run."""
        first = Register(self.name, 1, OLD, True, OLD)
        self.places.inside("third", lambda: self.places.witness().swap(None, first))
        for site in (OLD, NEW):
            self._write_files(site)
            self.agents[site] = self._start(site, clock_env if site == OLD else {})
        assert until(lambda: bool(self.wrote(OLD)), 20), "the province never wrote"

    def end(self) -> None:
        """Agents end and take their writers with them."""
        for agent in self.agents.values():
            agent.send_signal(signal.SIGCONT)
            agent.terminate()
            agent.wait()
        for site in (OLD, NEW):
            assert until(lambda s=site: not self.runs(s), 10), f"the writer at {site} runs on"  # type: ignore[misc]
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.keeper_pid(site), signal.SIGKILL)  # it waits for an agent

    def wrote(self, site: str) -> list[int]:
        """The moments at which the writer of a site wrote, in nanoseconds."""
        log = self._file(site, "log")
        return [int(line) for line in log.read_bytes().split(b"\n")[:-1]] if log.exists() else []

    def runs(self, site: str) -> bool:
        """Whether the writer of a site runs."""
        return subprocess.run([self._file(site, "writers"), "runs"], check=False).returncode == 0

    def keeper_pid(self, site: str) -> int:
        """The keeper that the agent of a site has now."""
        return int((self._file(site, "state") / "keeper.pid").read_text().split()[0])

    def _file(self, site: str, what: str) -> Path:
        return self.home / f"{self.name}-{site}-{what}"

    def _write_files(self, site: str) -> None:
        writer = self.home / "writer.py"
        writer.write_text(_WRITER)
        words = {"pid": self._file(site, "pid"), "log": self._file(site, "log")}
        program = self._file(site, "writers")
        program.write_text(_PROGRAM.format(python="/usr/bin/python3", writer=writer, **words))
        program.chmod(0o755)
        home = self.places.home
        config = {
            "group": self.name, "site": site, "place": site, "server": f"db-{site}",
            "members": dict(self.places.witness_members), "timing": asdict(timing(LEASE_S)),
            "ca": str(home / "ca.pem"), "cert": str(home / "cloudctl.pem"), "key": str(home / "cloudctl.key"),
            "state": str(self._file(site, "state")), "writers": str(program),
        }  # fmt: skip
        self._file(site, "json").write_text(json.dumps(config))

    def _start(self, site: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
        argv = ["/usr/bin/python3", str(_SCRIPTS / "agent_script.py"), str(self._file(site, "json"))]
        return self.places.run(site, argv, f"agent-{self.name}-{site}.log", env)


def move(witness: EtcdWitness, group: str, within_s: float, lease_s: float, stop_s: float) -> str:
    """Move the group to the city, from the city; how the old site's standstill was known. TimeoutError."""
    seized = _seize(witness, group, within_s)
    since, needed = time.monotonic(), wait_s(lease_s, stop_s=stop_s)
    proof = ""
    while not proof:
        try:
            word = witness.read_stopped(group, OLD)
        except WitnessUnavailable:
            word = None
        if word is not None and word.is_proof(seized.epoch):
            proof = "word"
        elif time.monotonic() - since >= needed:
            proof = "lease"
        else:
            time.sleep(0.05)
    _open(witness, seized, 2 * lease_s)
    return proof


def _seize(witness: EtcdWitness, group: str, within_s: float) -> Register:
    """The register, closed and the city's. What was swapped without our hearing so is found next."""
    end = time.monotonic() + within_s
    while True:
        try:
            before = witness.read(group)
            assert before is not None
            closed = replace(before, epoch=before.epoch + 1, holder=NEW, is_open=False, owner="move")
            return witness.swap(before, closed) if before.holder == OLD else before
        except (WitnessUnavailable, Conflict) as error:
            if time.monotonic() > end:
                raise TimeoutError from error


def _open(witness: EtcdWitness, seized: Register, within_s: float) -> None:
    end = time.monotonic() + within_s
    while True:
        try:
            now = witness.read(seized.group)
            if now is not None and now.is_open and now.holder == NEW:
                return
            witness.swap(seized, replace(seized, is_open=True, last=NEW))
        except (WitnessUnavailable, Conflict) as error:
            if time.monotonic() > end:
                raise TimeoutError from error


@dataclass(frozen=True)
class Case:
    """What breaks, and whether the city can take over then."""

    name: str
    breaks: Callable[[Group], object]
    mends: Callable[[Group], object]
    can_move: bool = True
    clock_env: tuple[tuple[str, str], ...] = ()


def _cut(*links: tuple[str, str]) -> dict[str, Any]:
    return {
        "breaks": lambda group: [group.places.cut(*link) for link in links],
        "mends": lambda group: [group.places.join(*link) for link in links],
    }


def _nothing(group: Group) -> None:
    """Is broken already, or mends itself."""


_AHEAD = (
    ("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"),
    ("FAKETIME", "+1h"),
    ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
)  # fmt: skip
_PC, _PT, _CT = LINKS

CASES: Sequence[Case] = (
    Case("link province-city cut", **_cut(_PC)),
    Case("link province-third cut", **_cut(_PT)),
    Case("link city-third cut", **_cut(_CT)),
    Case("province cut off", **_cut(_PC, _PT)),
    Case("city cut off", **_cut(_PC, _CT), can_move=False),
    Case("third place cut off", **_cut(_PT, _CT)),
    Case(
        "agent of the province paused",
        lambda group: group.agents[OLD].send_signal(signal.SIGSTOP),
        lambda group: group.agents[OLD].send_signal(signal.SIGCONT),
    ),
    Case("keeper of the province paused", lambda g: os.kill(g.keeper_pid(OLD), signal.SIGSTOP), _nothing),
    Case("agent of the province killed", lambda group: group.agents[OLD].kill(), _nothing),
    Case("clock of the province an hour ahead", _nothing, _nothing, clock_env=_AHEAD),
)


def run_case(places: Places, home: Path, case: Case) -> Outcome:
    """Break it, move if that can be done, mend it, and see who wrote when."""
    environ = dict(case.clock_env)
    library = environ.get("LD_PRELOAD")
    assert library is None or Path(library).is_file(), "the package faketime is not installed"
    group = Group(places, home)
    group.begin(environ)
    try:
        broken = time.monotonic_ns()
        case.breaks(group)
        try:
            within_s = 10.0 if case.can_move else 2 * LEASE_S
            proof = places.inside(NEW, lambda: move(places.witness(), group.name, within_s, LEASE_S, STOP_S))
        except TimeoutError:
            proof = ""
        if proof:
            assert until(lambda: bool(group.wrote(NEW)), 20), "the city never wrote"
        case.mends(group)
        # what was hanging or cut off must do no harm when it comes back
        mended = time.monotonic()
        until(lambda: time.monotonic() > mended + 1.5, 5)
        seen_until = time.monotonic_ns()
    finally:
        case.mends(group)
        group.end()
    old, new = group.wrote(OLD), group.wrote(NEW)
    silent = silence_s(broken, [*(one for one in (*old, *new) if one <= seen_until), seen_until])
    return Outcome(case.name, bool(proof), overlap_s(old, new), silent, proof, late(old, new))


def late(old: Sequence[int], new: Sequence[int]) -> int:
    """How many lines the old site wrote after the first one of the new site: a single one is too many."""
    return sum(one > min(new) for one in old) if new else 0


def overlap_s(one: Sequence[int], other: Sequence[int], ran_on_ns: int = _RAN_ON_NS) -> float:
    """For how long both wrote: between lines close enough to have been written by one that ran on."""
    spans = [(first, last) for log in (one, other) for first, last in _spans(log, ran_on_ns)]
    spans.sort()
    together, end = 0, 0
    for first, last in spans:
        together += max(0, min(end, last) - first)
        end = max(end, last)
    return together / 1e9


def silence_s(broken: int, moments: Sequence[int]) -> float:
    """The longest time after the break in which nobody wrote, if longer than between two lines."""
    after = sorted([broken, *(moment for moment in moments if moment > broken)])
    longest = max((later - earlier for earlier, later in pairwise(after)), default=0)
    return longest / 1e9


def _spans(log: Sequence[int], ran_on_ns: int) -> Iterator[tuple[int, int]]:
    first = last = None
    for moment in sorted(log):
        if first is None or last is None or moment - last > ran_on_ns:
            if first is not None and last is not None:
                yield first, last
            first = moment
        last = moment
    if first is not None and last is not None:
        yield first, last


@contextmanager
def three_places() -> Iterator[tuple[Places, Path]]:
    """Places that work, and a directory; gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="cut"))
    places = Places(home)
    try:
        places.make()
        yield places, home
    finally:
        places.remove()
        rmtree(home)
