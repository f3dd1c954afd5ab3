"""Holding servers still by plays inside them: Quiescing over Plays.

A server that cannot be reached, or has no file system on a disk of its own, is not held; then nothing is, and
the point is what a power cut would have left of each volume.
"""

import logging
from collections.abc import Sequence

from cloudctl.models import Site
from cloudctl.ports import Clouds, Host, Play, PlayResult, Plays
from cloudctl.store import Store
from provisioning.guest_access import USER
from provisioning.guests import NONE

log = logging.getLogger(__name__)

_THAW_S = 120.0


class GuestQuiescing:
    """Implements Quiescing at sites whose servers cloudctl may come into; elsewhere nothing is held."""

    def __init__(self, store: Store, clouds: Clouds, plays: Plays) -> None:
        self._store = store
        self._clouds = clouds
        self._plays = plays

    def freeze(self, site_id: str, server_ids: Sequence[str], point_id: str, hold_s: float) -> bool:
        hosts = self._hosts(site_id, server_ids)
        if not hosts or len(hosts) < len(set(server_ids)):
            return False
        variables = {"point": point_id, "hold_s": hold_s}
        result = self._plays.run(Play("freeze", hosts, variables, timeout_s=hold_s, idle_s=hold_s))
        if result.is_fine:
            return True
        self._warn("freeze", point_id, result)
        self._let_go(hosts, point_id)  # some of them may be frozen, and nobody is to wait for the others
        return False

    def thaw(self, site_id: str, server_ids: Sequence[str], point_id: str) -> bool:
        hosts = self._hosts(site_id, server_ids)
        if not hosts:
            return False
        result = self._let_go(hosts, point_id)
        were_held = all(one.told.get("was_held") for one in result.hosts.values())
        return result.is_fine and were_held and len(hosts) == len(set(server_ids))

    def _let_go(self, hosts: tuple[Host, ...], point_id: str) -> PlayResult:
        play = Play("thaw", hosts, {"point": point_id}, timeout_s=_THAW_S, idle_s=_THAW_S)
        result = self._plays.run(play)
        if not result.is_fine:
            self._warn("thaw", point_id, result)
        return result

    def _hosts(self, site_id: str, server_ids: Sequence[str]) -> tuple[Host, ...]:
        """The servers with an address; none at a site where cloudctl does not come into servers."""
        with self._store.read() as uow:
            site = uow.need(Site, site_id)
            if site.guests == NONE or not server_ids:
                return ()
        found = {one.id: one for one in self._clouds.at(site_id).list_all_servers()}
        return tuple(
            Host(server_id, min(found[server_id].addresses, key=lambda one: ":" in one), server_id, USER)
            for server_id in sorted(set(server_ids))
            if server_id in found and found[server_id].addresses
        )

    def _warn(self, what: str, point_id: str, result: PlayResult) -> None:
        why = [f"{name}: {one.message}" for name, one in result.hosts.items() if not one.is_fine]
        log.warning("%s for %s: %s", what, point_id, "; ".join(why) or result.message or result.ending.value)
