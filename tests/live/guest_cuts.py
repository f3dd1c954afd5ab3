"""What may break between the three places of the lab, with a real guest at two of them that writes.

The witness is the lab's, a member at each place. A link that is cut swallows what one place sends to the
other, both ways; the machine itself reaches both, so it can look at everything. A guest's writer says on the
console of its server that it writes; when a line came is told by the clock of the machine, the only one.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cloudctl.errors import WitnessUnavailable
from cloudctl.ports import Host, Register
from dr.agents.installing import COMMANDS, Papers, Wish, install
from dr.failover.timing import STOP_S
from lab.sites import THIRD, Site, external_network, plan, zone_networks
from provisioning.drivers.ansible_plays import AnsiblePlays
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import WitnessConfig
from tests.cut_cases import NEW, OLD, Outcome, late, move, overlap_s, silence_s
from tests.cuts import LINKS, inside, until
from tests.live.guest import Guest

LEASE_S = 20.0
RAN_ON_NS = 1_000_000_000  # the longest between two lines of a writer that ran on; guests are slow
MARK = "cloudctl-writes"
PROGRAM = "/usr/local/sbin/test-writer"
_WRITER = f"""#!/bin/sh
case $1 in
start) [ -s /run/test-writer ] && kill -0 $(cat /run/test-writer) 2>/dev/null && exit 0
  setsid python3 -c '
import select
while True:
    with open("/dev/console", "w") as console:
        print("\\n{MARK}", file=console)
    select.select([], [], [], 0.2)' </dev/null >/dev/null 2>&1 & echo $! >/run/test-writer ;;
stop|kill) pkill -KILL -f {MARK}; exit 0 ;;
runs) pgrep -f {MARK} >/dev/null ;;
esac
"""
_PRIORITY = "5000"
_PLACES = {one.name: one for one in (*plan(1), THIRD)}


def _networks(place: Site) -> list[str]:
    found = [f"{place.address.rpartition('.')[0]}.0/24"]
    if place.is_cloud:
        found += [external_network(place).cidr, *(zone.cidr_v4 for zone in zone_networks(place))]
    return found


def cut(one: str, other: str) -> None:
    """What the two places send to each other from now on is swallowed."""
    for words in _rules(one, other):
        subprocess.run(["ip", "rule", "add", *words], check=True, capture_output=True)


def join(one: str, other: str) -> None:
    """End of a cut; one that was never made is fine."""
    for words in _rules(one, other):
        subprocess.run(["ip", "rule", "delete", *words], check=False, capture_output=True)


def join_all() -> None:
    """No link is cut, whoever cut it."""
    for link in LINKS:
        join(*link)


def _rules(one: str, other: str) -> Iterator[tuple[str, ...]]:
    for here, there in ((_PLACES[one], _PLACES[other]), (_PLACES[other], _PLACES[one])):
        for cidr in _networks(there):
            yield "iif", here.host_link, "to", cidr, "priority", _PRIORITY, "blackhole"


class Listener:
    """When lines of a writer came on the console of a server, in nanoseconds of the machine's one clock."""

    def __init__(self, console: Path) -> None:
        self.moments: list[int] = []
        self._console, self._over = console, threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _listen(self) -> None:
        with self._console.open("rb") as file:
            file.seek(0, 2)
            mark, rest = MARK.encode(), b""
            while not self._over.wait(0.02):
                told = rest + file.read()  # a mark may come in two pieces
                self.moments += [time.monotonic_ns()] * told.count(mark)
                rest = told[-(len(mark) - 1) :]


@dataclass
class Pair:
    """A guest at each of two sites with an agent and a writer, in one group of the witness."""

    guests: dict[str, Guest]
    told: WitnessConfig
    witness: EtcdWitness  # asked from the machine, which no cut keeps from any member
    name: str
    listeners: dict[str, Listener] = field(default_factory=dict)

    def bring(self, keep: Path) -> None:
        """An agent to each, side by side."""
        told = self.told
        papers = Papers(told.members, told.ca, told.cert, told.key, told.prefix)
        commands = {word: f"{PROGRAM} {word}" for word in COMMANDS}
        failed: list[BaseException] = []

        def bring_to(site: str, guest: Guest) -> None:
            try:
                guest.run(f"sudo tee {PROGRAM} >/dev/null <<'END'\n{_WRITER}END\nsudo chmod 755 {PROGRAM}")
                wish = Wish(self.name, site, guest.server.name, LEASE_S, commands=commands)
                host = Host(guest.server.name, guest.address, guest.server.id, user="debian")
                (keep / site).mkdir()
                result = install(AnsiblePlays(keep / site, guest.key), host, wish, papers)
                assert result.is_fine, result
            except BaseException as error:  # raised again below
                failed.append(error)

        work = [threading.Thread(target=bring_to, args=one) for one in self.guests.items()]
        for one in work:
            one.start()
        for one in work:
            one.join()
        if failed:
            raise failed[0]

    def give(self, site: str) -> None:
        """The register lets this site write, once the other one stands still; it writes then."""
        other, now = (NEW if site == OLD else OLD), self.witness.read(self.name)
        if now is None:
            self.witness.swap(None, Register(self.name, 1, site, True, site))
        elif now.holder != site or not now.is_open:
            closed = replace(now, epoch=now.epoch + 1, holder=site, is_open=False, owner="test")
            seized = self.witness.swap(now, closed)
            assert until(lambda: self._has_said(other, seized.epoch), 3 * LEASE_S), f"{other} says nothing"
            self.witness.swap(seized, replace(seized, is_open=True, last=site))
        since = time.monotonic_ns()
        assert until(lambda: self.writes(site, since), 60), f"the writer at {site} never wrote"

    def writes(self, site: str, since: int) -> bool:
        """Whether it has written after a moment."""
        return any(one > since for one in self.listeners[site].moments[-3:])

    def _has_said(self, site: str, epoch: int) -> bool:
        try:
            word = self.witness.read_stopped(self.name, site)
        except WitnessUnavailable:
            return False
        return word is not None and word.is_proof(epoch)

    def old(self, command: str) -> None:
        """Do it in the guest of the province."""
        self.guests[OLD].run(command)


@dataclass(frozen=True)
class Break:
    """What breaks, how it is mended, and whether the city can take over then."""

    name: str
    breaks: Callable[[Pair], object]
    mends: Callable[[Pair], object]
    can_move: bool = True


def _links(name: str, *links: tuple[str, str], can_move: bool = True) -> Break:
    return Break(
        name, lambda _pair: [cut(*link) for link in links], lambda _pair: [join(*link) for link in links],
        can_move,
    )  # fmt: skip


_AGENT, _KEEPER = "agent_script.py", "keeper_script.py"
_PC, _PT, _CT = LINKS
BREAKS: Sequence[Break] = (
    _links("link province-city cut", _PC),
    _links("link province-third cut", _PT),
    _links("link city-third cut", _CT),
    _links("province cut off", _PC, _PT),
    _links("city cut off", _PC, _CT, can_move=False),
    _links("third place cut off", _PT, _CT),
    Break(
        "agent of the province paused",
        lambda pair: pair.old(f"sudo pkill -STOP -f '[a]{_AGENT[1:]}'"),
        lambda pair: pair.old(f"sudo pkill -CONT -f '[a]{_AGENT[1:]}' || true"),
    ),
    Break(
        "keeper of the province paused",
        lambda pair: pair.old(f"sudo pkill -STOP -f '[k]{_KEEPER[1:]}'"),
        lambda pair: pair.old(f"sudo pkill -CONT -f '[k]{_KEEPER[1:]}' || true"),
    ),
    Break(
        "clock of the province an hour ahead",
        lambda pair: pair.old(f"sudo date -s @{time.time() + 3600:.0f} >/dev/null"),
        lambda pair: pair.old(f"sudo date -s @{time.time():.0f} >/dev/null"),
    ),
)


def run(pair: Pair, one: Break) -> Outcome:
    """Break it, move from the city if that can be done, mend it, and see who wrote when."""
    pair.give(OLD)
    for listener in pair.listeners.values():
        listener.moments.clear()
    assert until(lambda: bool(pair.listeners[OLD].moments), 10)
    broken = time.monotonic_ns()
    is_mended = False
    try:
        one.breaks(pair)
        within_s = 20.0 if one.can_move else 2 * LEASE_S
        try:
            proof = inside(
                _PLACES[NEW].namespace,  # with lines of its own: those of the machine go another way
                lambda: move(EtcdWitness(pair.told), pair.name, within_s, LEASE_S, STOP_S),
            )
        except TimeoutError:
            proof = ""
        if proof:
            assert until(lambda: pair.writes(NEW, broken), 60), "the city never wrote"
        one.mends(pair)
        is_mended = True
        mended = time.monotonic()  # what was hanging or cut off must do no harm when it comes back
        until(lambda: time.monotonic() > mended + LEASE_S / 4, LEASE_S)
    finally:
        if not is_mended:
            one.mends(pair)
    old, new = (list(pair.listeners[site].moments) for site in (OLD, NEW))
    silent = silence_s(broken, [*old, *new, time.monotonic_ns()])
    both = overlap_s(old, new, RAN_ON_NS)
    return Outcome(one.name, bool(proof), both, silent, proof, late(old, new))
