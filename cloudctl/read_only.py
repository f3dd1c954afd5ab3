"""The outside world for an installation that only observes: everything can be looked at, nothing changed.

Operations do not run then anyway (`cloudctl.operations`). This is the second door, for whatever speaks to a
cloud beside them: what is not known to be reading is refused.
"""

from collections.abc import Callable
from typing import Any, cast

from cloudctl.observing import is_observing, refusal_of
from cloudctl.ports import Cloud, ConnectableClouds, Dns, ObjectStore, Plays, Purpose, Replication, Stores
from cloudctl.store import Store

_READING = ("list_", "get_", "find_")
_ALSO_READING = frozenset(
    {"site", "rights", "inspect", "usage", "capacity", "backup_services", "export_backup", "console_output"}
)
_DNS_READING = frozenset({"read", "gives_shares"})
_PLAYS_READING = frozenset({"reaches", "public_key"})
_STORAGE_READING = frozenset({"sites", "replicas", "marked", "must_be_closed"})
_STORES_READING = frozenset({"native", "bucket", "sites"})


class ObservedClouds:
    """Clouds that refuse whatever changes something, with ObserveOnly, while the installation observes."""

    def __init__(self, clouds: ConnectableClouds, store: Store) -> None:
        self._clouds = clouds
        self._store = store

    def at(self, site_id: str) -> Cloud:
        return self._guarded(self._clouds.at(site_id))

    def of_entry(self, entry: str) -> Cloud:
        return self._guarded(self._clouds.of_entry(entry))

    def entries(self) -> list[str]:
        return self._clouds.entries()

    def _guarded(self, cloud: Cloud) -> Cloud:
        return cast("Cloud", _Guarded(cloud, self._store, _is_reading))


def observed_plays(plays: Plays, store: Store) -> Plays:
    """Plays that refuse to run anything in a server while the installation observes."""
    return cast("Plays", _Guarded(plays, store, _PLAYS_READING.__contains__))


def observed_stores(stores: Stores, store: Store) -> Stores:
    """Stores whose vaults open for reading only while the installation observes, and that change no bucket.

    Native buckets are written to by operations alone, which do not run then.
    """
    return cast("Stores", _GuardedStores(stores, store, _STORES_READING.__contains__))


def observed_dns(dns: Dns, store: Store) -> Dns:
    """A name service that is only read while the installation observes."""
    return cast("Dns", _Guarded(dns, store, _DNS_READING.__contains__))


def observed_replication(replication: Replication, store: Store) -> Replication:
    """Storage whose copies are only looked at while the installation observes."""
    return cast("Replication", _Guarded(replication, store, _STORAGE_READING.__contains__))


class _Guarded:
    """Something that is spoken to by its methods; those that may change something ask first."""

    def __init__(self, inner: object, store: Store, is_reading: Callable[[str], bool]) -> None:
        self._inner = inner
        self._store = store
        self._is_reading = is_reading

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "in_project":
            return lambda project_id: _Guarded(found(project_id), self._store, self._is_reading)
        if self._is_reading(name) or not callable(found):
            return found

        def change(*args: object, **named: object) -> Any:
            if is_observing(self._store):
                raise refusal_of(self._store)
            return found(*args, **named)

        return change


class _GuardedStores(_Guarded):
    """Stores of which a vault says itself for what it is opened."""

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        if purpose is not Purpose.READ and is_observing(self._store):
            raise refusal_of(self._store)
        return cast("Stores", self._inner).vault(site_id, purpose)


def _is_reading(name: str) -> bool:
    return name.startswith(_READING) or name in _ALSO_READING
