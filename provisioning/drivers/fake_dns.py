"""A name service in memory that keeps the contract, with hooks by which tests break it."""

import threading
from collections.abc import Callable, Sequence

from cloudctl.errors import CloudctlError, Conflict, NameServiceRefused
from cloudctl.ports import RecordSet
from cloudctl.ports.dns import LUA
from provisioning.drivers.fake_state import Call

Key = tuple[str, str]  # name, type


class FakeDns:
    """Implements Dns over a dictionary. `before` and `after` see every call; `refuse` makes calls fail."""

    def __init__(self, zones: Sequence[str] = ("gov.test.",), gives_shares: bool = True) -> None:
        self.sets: dict[Key, RecordSet] = {}
        self.updates: list[tuple[RecordSet, ...]] = []  # what each change left of the sets it was about
        self.before: Callable[[Call], None] = lambda _call: None
        self.after: Callable[[Call], None] = lambda _call: None
        self.trouble: list[CloudctlError] = []  # each fails one call, the first at once
        self._zones = tuple(zones)
        self._gives_shares = gives_shares
        self._calls = 0
        self._lock = threading.Lock()

    def gives_shares(self, name: str) -> bool:
        self._zone_of(name)
        return self._gives_shares

    def read(self, name: str, kind: str) -> RecordSet | None:
        call = self._enter("read", name)
        self._zone_of(name)
        if kind == LUA:
            raise NameServiceRefused("the name service does not tell records of type {type}", type=kind)
        found = self.sets.get((name.lower(), kind))
        self.after(call)
        return found

    def replace(self, before: Sequence[RecordSet], after: Sequence[RecordSet]) -> None:
        names = [one.name for one in (*before, *after)]
        call = self._enter("replace", names[0] if names else "")
        if len({self._zone_of(name) for name in names}) > 1:
            raise NameServiceRefused("the names are not of one zone")
        if not self._gives_shares and any(one.type == LUA for one in (*before, *after)):
            raise NameServiceRefused("the name service does not know the type {type}", type=LUA)
        with self._lock:
            self._must_be(before, after)
            for one in before:
                self.sets.pop((one.name.lower(), one.type), None)
            for one in after:
                self.sets[(one.name.lower(), one.type)] = _in_order(one)
            self.updates.append(tuple(_in_order(one) for one in after))
        self.after(call)

    def put_by_hand(self, *sets: RecordSet) -> None:
        """Somebody else's change, which asks nobody."""
        for one in sets:
            self.sets[(one.name.lower(), one.type)] = _in_order(one)

    def _must_be(self, before: Sequence[RecordSet], after: Sequence[RecordSet]) -> None:
        known = {(one.name.lower(), one.type) for one in before}
        for one in before:
            found = self.sets.get((one.name.lower(), one.type))
            if found is None or found.values != _in_order(one).values:
                raise Conflict(
                    "the name service does not have what was read of {name} any more", name=one.name
                )
        for one in after:
            key = (one.name.lower(), one.type)
            if (key in self.sets and key not in known) or (one.name.lower(), "CNAME") in self.sets:
                raise Conflict("the name service has records of {name} that were not expected", name=one.name)

    def _zone_of(self, name: str) -> str:
        for zone in self._zones:
            if name.lower() == zone or name.lower().endswith(f".{zone}"):
                return zone
        raise NameServiceRefused("no zone of the configuration holds {name}", name=name)

    def _enter(self, name: str, subject: str) -> Call:
        self._calls += 1
        call = Call(self._calls, name, None, subject)
        self.before(call)
        if self.trouble:
            raise self.trouble.pop(0)
        return call


def _in_order(one: RecordSet) -> RecordSet:
    return RecordSet(one.name, one.type, one.ttl_s, tuple(sorted(one.values)))
