"""The servers of a plan's databases, and the plays that set them up, look at them and turn them round.

A password is made for each database by this installation, kept in a file of its own home and given to a play
only; the servers keep what their own programs need of it. Another installation has another one, and gives it
to them with the first play that needs it.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl.errors import CloudctlError, DatabaseRefused, Fault, GuestNotReady
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Resource
from cloudctl.ports import Ending, Host, HostResult, Play, PlayResult, Plays
from cloudctl.secrets import Hidden, shared_key
from cloudctl.store import UnitOfWork
from dr.failover.described import is_server
from dr.plans.document import Database, Document, Part
from dr.ways.streaming import Told, of_play
from provisioning.guest_access import USER, first_address

LOOK, PRIMARY, STANDBY = "database_lag", "database_primary", "database_standby"
DEMOTE, REGAIN, PROMOTE, REWIND = "database_demote", "database_regain", "database_promote", "database_rewind"
_LOOK_S, _TURN_S, _COPY_S = 120.0, 600.0, 12 * 3600.0  # a copy takes as long as there is data
_WITH_PEER = frozenset({PRIMARY, STANDBY, DEMOTE, REWIND})


@dataclass(frozen=True)
class Pair:
    """The servers of one database, by site."""

    plan: str
    part: str
    database: Database
    hosts: Mapping[str, Host]

    def peer(self, site: str) -> Host:
        """The server at the other site."""
        return next(host for other, host in self.hosts.items() if other != site)


def find(uow: UnitOfWork, document: Document, part: Part) -> tuple[Pair, list[Fault]]:
    """Where the database of a part is, as the rows of both sites tell, and what of it nobody knows."""
    assert part.database is not None
    hosts, faults = {}, []
    for site, name in part.database.servers.items():
        row = _row(uow, document.system, site, name)
        address = None if row is None else first_address(row.addresses or {})
        if row is None or row.external_id is None or address is None:
            params = {"system": document.system, "name": name, "site": site}
            template = "no server '{name}' of {system} at {site} has an address"
            faults.append(Fault(f"parts.{part.name}", "no_server", template, params))
            continue
        hosts[site] = Host(row.name, address, row.external_id, USER)
    return Pair(document.name, part.name, part.database, hosts), faults


def _row(uow: UnitOfWork, system: str, site: str, name: str) -> Resource | None:
    here = (Resource.site_id == site, Resource.system_id == system, Resource.kind == "server")
    rows = uow.all(Resource, *here, Resource.state == ResourceState.ACTIVE)
    meant = [
        one for one in rows if is_server({"name": one.name, "label": (one.spec or {}).get("label")}, name)
    ]
    return next((one for one in meant if one.name == name), meant[0] if meant else None)


class Databases:
    """Plays on the servers of databases. `secrets`: the directory of their passwords."""

    def __init__(self, plays: Plays, secrets: Path) -> None:
        self._plays = plays
        self._secrets = secrets

    def look(self, pair: Pair, sites: Sequence[str] = ()) -> dict[str, Told | str]:
        """What the servers say of themselves, by site; of one that says nothing, why. Changes nothing."""
        hosts = {site: host for site, host in pair.hosts.items() if not sites or site in sites}
        play = Play(LOOK, tuple(hosts.values()), self._variables(pair), timeout_s=_LOOK_S, idle_s=_LOOK_S)
        try:
            result = self._plays.run(play)
        except CloudctlError as error:
            return dict.fromkeys(hosts, error.text())
        found: dict[str, Told | str] = {}
        for site, host in hosts.items():
            one = result.hosts.get(host.name, HostResult(is_reached=False))
            told = of_play(one.told) if one.is_fine else None
            found[site] = told or _why(host.name, result, one)
        return found

    def turn(
        self,
        pair: Pair,
        site: str,
        playbook: str,
        is_stopped: Callable[[], bool] = lambda: False,
        **more: Any,
    ) -> Told:
        """Run a playbook at the server of a site; again changes nothing. What it is then.

        GuestNotReady where it is not reached, or somebody stops it: try again. DatabaseRefused: it said no.
        """
        host = pair.hosts[site]
        variables = {**self._variables(pair), **more}
        if playbook in _WITH_PEER:
            variables |= {
                "peer": pair.peer(site).address, "listen": host.address,
                "replication_password": self.password(pair),
            }  # fmt: skip
        seconds = _COPY_S if playbook in {STANDBY, REWIND} else _TURN_S
        play = Play(playbook, (host,), variables, timeout_s=seconds, idle_s=seconds)
        result = self._plays.run(play, lambda *_news: None, is_stopped)
        one = result.hosts.get(host.name, HostResult(is_reached=False))
        told = of_play(one.told) if one.is_fine else None
        if told is not None and result.is_fine:
            return told
        why = _why(host.name, result, one)
        if not one.is_reached or result.ending in (Ending.STOPPED, Ending.TIMED_OUT):
            raise GuestNotReady("{playbook} at {server}: {why}", playbook=playbook, server=host.name, why=why)
        raise DatabaseRefused("{playbook} at {server}: {why}", playbook=playbook, server=host.name, why=why)

    def password(self, pair: Pair) -> Hidden:
        """Of the role that replicates: of a key in a file of the plan, so that it is the same each time."""
        key = shared_key(self._secrets / f"database-{pair.plan}")
        return Hidden(hmac.new(key, pair.part.encode(), hashlib.sha256).hexdigest())

    @staticmethod
    def _variables(pair: Pair) -> dict[str, Any]:
        told: dict[str, Any] = {"peer_port": pair.database.port}
        return told | ({"database_directory": pair.database.directory} if pair.database.directory else {})


def _why(name: str, result: PlayResult, one: HostResult) -> str:
    if not one.is_reached:
        return f"{name} is not reached: {one.message or result.message or '-'}"
    return one.message or result.message or result.ending.value
