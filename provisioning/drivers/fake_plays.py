"""Servers and playbooks in memory, for tests; strict about what is reached, and what repeats."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import NotFound
from cloudctl.ports import Ending, Host, HostResult, OnTask, Play, PlayResult
from provisioning.drivers.fake_state import Call

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake cloudctl"


@dataclass
class FakeGuest:
    """One server as SSH sees it."""

    address: str
    answers_after: int = 0  # how often it is asked in vain first
    is_up: bool = True
    has: dict[str, Any] = field(default_factory=dict)  # what playbooks put there
    held_for: str | None = None
    held_until: datetime | None = None
    was_held: dict[str, bool] = field(default_factory=dict)  # point -> as its thaw found it
    broken: dict[str, str] = field(default_factory=dict)  # playbook -> what fails there


@dataclass(frozen=True)
class Told:
    """What a playbook does to one server."""

    changed: int = 0
    failure: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    is_endless: bool = False


Book = Callable[[FakeGuest, Mapping[str, Any], datetime, bool], Told]


def _put(guest: FakeGuest, key: str, value: Any, is_check: bool) -> int:
    """Whether the server has it otherwise; it has it so then, unless that was only asked."""
    changed = guest.has.get(key) != value
    if not is_check:
        guest.has[key] = value
    return int(changed)


def _baseline(guest: FakeGuest, variables: Mapping[str, Any], _now: datetime, is_check: bool) -> Told:
    level = variables["baseline_level"]
    return Told(_put(guest, "baseline", level, is_check), told={"level": level, "notes": []})


def _volumes(guest: FakeGuest, variables: Mapping[str, Any], _now: datetime, is_check: bool) -> Told:
    wanted = variables.get("volumes", [])
    changed = sum(_put(guest, one["path"], one["id"], is_check) for one in wanted)
    return Told(int(changed > 0), told={"paths": [one["path"] for one in wanted]})


def _freeze(guest: FakeGuest, variables: Mapping[str, Any], now: datetime, is_check: bool) -> Told:
    point = variables["point"]
    is_held = guest.held_until is not None and now < guest.held_until
    if is_held and guest.held_for != point:
        return Told(failure=f"is held for {guest.held_for}")
    if not is_held and not is_check:
        guest.held_for, guest.held_until = point, now + timedelta(seconds=variables["hold_s"])
        guest.was_held.pop(point, None)
    return Told(int(not is_held), told={"mounts": ["/srv/data"]})


def _thaw(guest: FakeGuest, variables: Mapping[str, Any], now: datetime, is_check: bool) -> Told:
    point = variables["point"]
    if guest.held_for != point:
        return Told(told={"was_held": guest.was_held.get(point, False)})
    was_held = guest.held_until is not None and now < guest.held_until
    if not is_check:
        guest.held_for, guest.held_until, guest.was_held[point] = None, None, was_held
    return Told(1, told={"was_held": was_held})


def _check(guest: FakeGuest, _variables: Mapping[str, Any], _now: datetime, _is_check: bool) -> Told:
    return Told(told={"checks": guest.has.get("checks", [])})


def _agent(guest: FakeGuest, variables: Mapping[str, Any], _now: datetime, is_check: bool) -> Told:
    told = {key: value for key, value in variables.items() if key.startswith("agent_")}
    return Told(_put(guest, "agent", told, is_check), told={"agent": variables["agent_name"]})


BOOKS: Mapping[str, Book] = {
    "agent": _agent,
    "baseline": _baseline,
    "volumes": _volumes,
    "freeze": _freeze,
    "thaw": _thaw,
    "check": _check,
}


def _nothing(_call: Call) -> None:
    """The hook that is there before a test puts its own."""


class FakePlays:
    """Implements Plays. Every address is a server unless `is_open` is False; then only those in `guests`."""

    def __init__(
        self, clock: Clock | None = None, books: Mapping[str, Book] = BOOKS, is_open: bool = True
    ) -> None:
        self.guests: dict[str, FakeGuest] = {}
        self.runs: list[Play] = []
        self.asked: Counter[str] = Counter()
        self.before: Callable[[Call], None] = _nothing
        self.after: Callable[[Call], None] = _nothing
        self._clock = clock or SystemClock()
        self._books = books
        self._is_open = is_open
        self._lock = threading.Lock()

    def guest(self, address: str, **values: Any) -> FakeGuest:
        """The server of the address; made, with the values, when there is none."""
        return self.guests.setdefault(address, FakeGuest(address, **values))

    def public_key(self) -> str:
        return PUBLIC_KEY

    def reaches(self, host: Host) -> bool:
        with self._lock:
            self.asked[host.address] += 1
            guest = self._guest(host)
            return guest is not None and guest.is_up and self.asked[host.address] > guest.answers_after

    def run(
        self,
        play: Play,
        on_task: OnTask = lambda _host, _task, _outcome: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> PlayResult:
        book = self._books.get(play.playbook)
        if book is None:
            raise NotFound("there is no playbook '{name}'", name=play.playbook)
        call = Call(len(self.runs) + 1, f"play {play.playbook}", None, ",".join(h.name for h in play.hosts))
        self.before(call)
        with self._lock:
            self.runs.append(play)
            ends = [self._at(play, book, host, on_task) for host in play.hosts]
        self.after(call)
        hosts = {host.name: one for host, (one, _) in zip(play.hosts, ends, strict=True)}
        if is_stopped():
            return PlayResult(Ending.STOPPED, hosts)
        if any(is_endless for _, is_endless in ends):
            return PlayResult(Ending.TIMED_OUT, hosts)
        is_fine = all(one.is_fine for one in hosts.values())
        return PlayResult(Ending.DONE if is_fine else Ending.FAILED, hosts)

    def _at(self, play: Play, book: Book, host: Host, on_task: OnTask) -> tuple[HostResult, bool]:
        guest, task = self._guest(host), f"the only task of {play.playbook}"
        if guest is None or not guest.is_up:
            on_task(host.name, task, "unreachable")
            return HostResult(is_reached=False, task=task, message="no route to the server"), False
        if play.playbook in guest.broken:
            done = Told(failure=guest.broken[play.playbook])
        else:
            done = book(guest, {**play.variables, **host.variables}, self._clock.now(), play.is_check)
        if done.failure:
            on_task(host.name, task, "failed")
            return HostResult(failed=1, task=task, message=done.failure, told=done.told), False
        on_task(host.name, task, "changed" if done.changed else "ok")
        return HostResult(ok=1, changed=done.changed, told=done.told), done.is_endless

    def _guest(self, host: Host) -> FakeGuest | None:
        return self.guest(host.address) if self._is_open else self.guests.get(host.address)
