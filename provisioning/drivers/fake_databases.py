"""Databases in memory that follow each other, as plays find them in servers; for tests.

The log of one is a list of texts. What is written reaches whoever follows at once, unless the stream is cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provisioning.drivers.fake_plays import Book, FakeGuest, Told

LOOK, WRITE, FOLLOW = "database_lag", "database_primary", "database_standby"
DEMOTE, REGAIN, PROMOTE, REWIND = "database_demote", "database_regain", "database_promote", "database_rewind"


@dataclass
class FakeDatabase:
    """The database of one server."""

    system: str
    log: list[str] = field(default_factory=list)
    timeline: int = 1
    is_running: bool = True
    is_clean: bool = True  # it ended in order
    is_standby: bool = False
    has_recovered: bool = False  # it ran as a standby since it was a primary
    follows: str = ""  # an address
    admits: frozenset[str] = frozenset()
    password: str = ""
    kept: dict[str, list[str]] = field(default_factory=dict)


class FakeDatabases:
    """All of them by the address of their server."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.at = {address: FakeDatabase(system) for address, system in addresses.items()}
        self.is_cut = False
        self.writers: list[tuple[str, ...]] = []  # who could write, whenever anything was changed

    def books(self) -> Mapping[str, Book]:
        """What the playbooks do."""
        acts = {LOOK: self._look, WRITE: self._prepare, FOLLOW: self._follow, DEMOTE: self._demote,
                REGAIN: self._regain, PROMOTE: self._promote, REWIND: self._rewind}  # fmt: skip
        return {name: _book(self, act) for name, act in acts.items()}

    def write(self, address: str, text: str) -> bool:
        """Whether it took the write."""
        one = self.at[address]
        if one.is_running and not one.is_standby:
            one.log.append(text)
            self.flow()
            return True
        return False

    def stop(self, address: str, is_clean: bool = True) -> None:
        """As its agent, or a loss, stops it. One that ends in order sends everything first."""
        one = self.at[address]
        if is_clean:
            self.flow()
        one.is_running, one.is_clean = False, is_clean

    def start(self, address: str) -> None:
        """As whoever supervises it starts it: as what its directory says."""
        one = self.at[address]
        one.is_running, one.is_clean = True, True
        one.has_recovered = one.has_recovered or one.is_standby
        self.flow()

    def flow(self) -> None:
        """What was written arrives wherever it may; once for each hop of a cascade."""
        for _ in self.at:
            for address, one in self.at.items():
                if self._streams(address):
                    one.log, one.timeline = list(self.at[one.follows].log), self.at[one.follows].timeline
        writing = tuple(key for key, one in self.at.items() if one.is_running and not one.is_standby)
        self.writers.append(writing)

    def _streams(self, address: str) -> bool:
        one = self.at[address]
        source = self.at.get(one.follows)
        return (
            not self.is_cut and one.is_running and one.is_standby and source is not None and source.is_running
            and one.system == source.system and address in source.admits and one.password == source.password
            and one.log == source.log[: len(one.log)]
        )  # fmt: skip

    # -- the playbooks

    def told(self, address: str) -> dict[str, Any]:
        """As the module tells it."""
        self.flow()
        one = self.at[address]
        said: dict[str, Any] = {"position": len(one.log), "timeline": one.timeline, "system": one.system}
        if not one.is_running:
            position = said["position"] if one.is_clean else None
            return {**said, "role": "stopped", "position": position, "is_clean": one.is_clean,
                    "is_primary": not one.is_standby}  # fmt: skip
        if one.is_standby:
            return {**said, "role": "standby", "is_streaming": self._streams(address), "late_s": 0.0}
        followers = [key for key, other in self.at.items() if other.follows == address and self._streams(key)]
        standbys = [{"address": key, "state": "streaming", "behind": 0, "late_s": 0.0} for key in followers]
        return {**said, "role": "primary", "standbys": standbys}

    def _look(self, address: str, variables: Mapping[str, Any]) -> str | int:
        return 0

    def _prepare(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one = self.at[address]
        if one.is_standby:
            return "it is a standby: promote it first"
        before = (one.admits, one.password)
        one.admits, one.password = one.admits | {variables["peer"]}, variables["replication_password"]
        return int(before != (one.admits, one.password))

    def _follow(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one, peer = self.at[address], self.at[variables["peer"]]
        word = variables.get("standby_keep", "")
        is_anew = bool(word) and word not in one.kept
        if not is_anew and one.is_standby and one.system == peer.system:
            return self._refollow(address, variables)
        if not is_anew and one.system == peer.system:
            return "it was a primary of the same data: rewind it, or say `anew`"
        if not peer.is_running or address not in peer.admits:
            return "the peer lets nobody copy it"
        one.kept[word or "before"] = one.log
        one.log, one.system, one.timeline = list(peer.log), peer.system, peer.timeline
        return self._refollow(address, variables) or 1

    def _rewind(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one, peer = self.at[address], self.at[variables["peer"]]
        self.flow()
        if not self._streams(address):
            if not peer.is_running or address not in peer.admits:
                return "the peer lets nobody copy it"
            while one.log != peer.log[: len(one.log)]:
                one.log.pop()
        return self._refollow(address, variables)

    def _refollow(self, address: str, variables: Mapping[str, Any]) -> int:
        one = self.at[address]
        before = (one.is_standby, one.follows, one.is_running, one.password)
        one.is_standby, one.follows, one.password = True, variables["peer"], variables["replication_password"]
        self.start(address)
        return int(before != (True, one.follows, True, one.password))

    def _demote(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one = self.at[address]
        changed = not one.is_standby
        was_running = one.is_running
        if was_running and not one.is_standby:
            self.stop(address)
        one.is_standby, one.follows, one.password = True, variables["peer"], variables["replication_password"]
        one.has_recovered = one.has_recovered and not changed
        if was_running or not one.is_clean:
            self.start(address)
        return int(changed)

    def _regain(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one = self.at[address]
        if not one.is_standby:
            return 0
        if one.is_running or one.has_recovered:
            return self._promote(address, variables)
        one.is_standby = False
        return 1

    def _promote(self, address: str, variables: Mapping[str, Any]) -> str | int:
        one = self.at[address]
        if not one.is_standby:
            return 0
        one.is_standby, one.is_running, one.is_clean = False, True, True
        one.timeline += 1
        self.flow()
        return 1


def _book(databases: FakeDatabases, act: Any) -> Book:
    def book(guest: FakeGuest, variables: Mapping[str, Any], _now: datetime, is_check: bool) -> Told:
        if guest.address not in databases.at:
            return Told(failure="there is no data directory of PostgreSQL")
        done = 0 if is_check else act(guest.address, variables)
        if isinstance(done, str):
            return Told(failure=done)
        return Told(done, told=databases.told(guest.address))

    return book
