"""Which systems run at a site, written down as stretches of time: the evidence that a migration is real.

A look lists every server once. A system runs where its bound project has an ACTIVE server, whoever made it.
A look that cannot see everything writes nothing: what was not looked at grows old, and never turns false.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, CloudForbidden
from cloudctl.models import Project, RunningSpan, Site, SiteLook
from cloudctl.ports import Cloud, Clouds, Server
from cloudctl.store import UnitOfWork
from provisioning import fitness

log = logging.getLogger(__name__)

RUNNING = "ACTIVE"


@dataclass(frozen=True)
class Span:
    """An open stretch as the decision needs it."""

    system_id: str
    last_seen_at: datetime
    longest_gap_s: int


@dataclass(frozen=True)
class Noted:
    """What a look changes: stretches that go on (with their longest gap now), that end, that begin."""

    go_on: Mapping[str, int]
    end: frozenset[str]
    begin: frozenset[str]


def note(spans: Iterable[Span], running: frozenset[str], now: datetime) -> Noted:
    """Pure: from the open stretches of a site and the systems that run there now."""
    known = {span.system_id: span for span in spans}
    gaps = {
        system: max(known[system].longest_gap_s, int((now - known[system].last_seen_at).total_seconds()))
        for system in running & known.keys()
    }
    return Noted(gaps, frozenset(known.keys() - running), running - known.keys())


def running_systems(servers: Iterable[Server], systems: Mapping[str, str]) -> frozenset[str]:
    """The systems with an ACTIVE server; `systems` is the system of each bound project's id at the site."""
    return frozenset(
        systems[server.project_id]
        for server in servers
        if server.status == RUNNING and server.project_id in systems
    )


def write_down(uow: UnitOfWork, site_id: str, servers: Iterable[Server], now: datetime) -> Noted:
    """Bring the stretches of a site on to this moment, from a listing of all its servers."""
    uow.for_update(Site, site_id)  # two looks at once would both begin the same stretch
    bound = uow.all(Project, Project.site_id == site_id, Project.external_id.is_not(None))
    systems = {project.external_id: project.system_id for project in bound if project.external_id}
    rows = uow.all(RunningSpan, RunningSpan.site_id == site_id, RunningSpan.until.is_(None))
    noted = note(
        (Span(row.system_id, row.last_seen_at, row.longest_gap_s) for row in rows),
        running_systems(servers, systems),
        now,
    )
    for row in rows:
        if row.system_id in noted.end:
            row.until = now
        else:
            row.last_seen_at, row.longest_gap_s = now, noted.go_on[row.system_id]
    for system in sorted(noted.begin):
        uow.session.add(RunningSpan(system_id=system, site_id=site_id, since=now, last_seen_at=now))
    _keep_look(uow, site_id, now)
    return noted


def _keep_look(uow: UnitOfWork, site_id: str, now: datetime) -> None:
    """That somebody looked, also where nothing ran."""
    look = uow.get(SiteLook, (site_id, local_day(now)))
    if look is None:
        uow.session.add(SiteLook(site_id=site_id, day=local_day(now), first_at=now, last_at=now))
    else:
        look.last_at = now
    uow.flush()


def look_at_due_sites(core: Core, clouds: Clouds) -> list[str]:
    """Look at every site whose turn it is; the ids of those that were seen.

    Any number of workers may call this: the turn is taken by a guarded update. A site that does not answer
    is left as it was known, with a line in the log, and has its next turn like the others.
    """
    return [site_id for site_id in _due(core) if _take_turn(core, site_id) and _look(core, clouds, site_id)]


def must_see_everything(cloud: Cloud, site_id: str) -> None:
    """A credential that lost its role sees its own project alone: all else would look as if it were gone."""
    missing = fitness.missing_rights(fitness.OBSERVE, cloud.rights())
    if missing:
        raise CloudForbidden(
            "{site}: cannot compare, the credential lacks {rights}",
            site=site_id,
            rights=", ".join(right.name for right in missing),
        )


def _due(core: Core) -> list[str]:
    now = core.clock.now()
    with core.store.read() as uow:
        its_turn = (Site.next_look_at.is_(None)) | (Site.next_look_at <= now)
        return uow.column(Site.id, Site.retired_at.is_(None), its_turn)


def _take_turn(core: Core, site_id: str) -> bool:
    now = core.clock.now()
    following = now + timedelta(seconds=core.settings.look_every_s)
    with core.store.write() as uow:
        its_turn = (Site.next_look_at.is_(None)) | (Site.next_look_at <= now)
        return uow.update(Site, Site.id == site_id, its_turn, next_look_at=following) == 1


def _look(core: Core, clouds: Clouds, site_id: str) -> bool:
    try:
        cloud = clouds.at(site_id)
        must_see_everything(cloud, site_id)
        servers = cloud.list_all_servers()
    except CloudctlError as error:
        log.warning("no look at %s: %s", site_id, error)
        return False
    with core.store.write() as uow:
        write_down(uow, site_id, servers, core.clock.now())
    return True
