"""Servers for a restore: brought up from the rows that say what they boot from, and stopped for an exchange.

What is made is found again by the id of its row in its tag; volumes and ports go by the ids on their rows,
since an exchange gives rows other volumes and Cinder writes tags of its own on what it restores.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import BuildFailed, CloudBusy, CloudConflict, CloudRejected
from cloudctl.lifecycle import Later, Outcome, ResourceState
from cloudctl.models import InformationSystem, Resource
from cloudctl.operations import Run
from cloudctl.ports import (
    TAG_INSTALLATION,
    TAG_RESOURCE,
    TAG_RESTORE,
    TAG_SYSTEM,
    Cloud,
    CloudInProject,
    Clouds,
    NewPort,
    NewServer,
    Port,
)
from cloudctl.store import UnitOfWork
from dr.restore_job import RestoreJob
from provisioning import project_setup
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.dropping import dropper
from provisioning.job import site_name, write_rows, zone_network
from provisioning.lanes import Lanes, worst
from provisioning.look import ALL_KINDS, addresses, look
from provisioning.reconcile import Change, Next, Row, Seen, Thing, decide
from provisioning.teardown import Drop

GROUND, LAID_FOR = "ground", "servers"
_PAUSE_S = 60.0  # before a server that will not start is tried once more


class Servers:
    """Makes servers, takes them away, and looks; may be asked again after any crash."""

    def __init__(self, clouds: Clouds, settings: Settings, lanes: Lanes) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes

    # -- up

    def bring_up(
        self, run: Run, job: RestoreJob, servers: Sequence[str], is_stubborn: bool = False
    ) -> Outcome | None:
        """Every server of these rows stands with its volumes; None then. BuildFailed when one will not.

        `is_stubborn`: it is tried for ever, since there is nothing else to turn to.
        """
        cloud = self._clouds.at(job.site.id)
        cloud.ensure_own_access(job.restore.to_project)
        inside = cloud.in_project(job.restore.to_project)
        resources = _resources(run, servers)
        ground = self._ground(run, job, cloud, inside, resources)
        rows = [_as_row(row) for row in resources]
        seen = _by_id(look(self._lanes, job.site, inside, ALL_KINDS), resources)
        step = decide(rows, seen, run.clock.now())
        by_id = {row.id: row for row in resources}
        _must_have_volumes(step, by_id)
        _write(run, step)
        by_id = {row.id: row for row in _resources(run, servers)}
        if step.failure is not None and not is_stubborn:
            raise step.failure
        if step.is_complete:
            _settle(run, seen, resources)
            return None
        broken = [Drop(kind, one) for kind, one in step.drop]
        if step.failure is not None:
            broken = [Drop(SERVER, one.id) for row in rows if row.kind == SERVER for one in seen.of(row)
                      if one.status == "ERROR"]  # fmt: skip
        calls = [self._maker(run, job, inside, by_id, by_id[one], ground) for one in step.start]
        calls += [dropper(run, inside, one) for one in broken]
        calls += [self._attacher(run, inside, by_id, by_id[one]) for one in step.attach]
        results = self._lanes.all(job.site.id, job.site.slots, calls)
        error = worst([one for one in results if not isinstance(one.error, CloudBusy)])
        if error is not None:
            raise error
        return Later(_PAUSE_S if step.failure is not None else self._settings.poll_s, step.why)

    # -- the ground: ids of what is referred to, groups and keys

    def _ground(
        self, run: Run, job: RestoreJob, cloud: Cloud, inside: CloudInProject, rows: Sequence[Resource]
    ) -> Mapping[str, Any]:
        servers = [row for row in rows if row.kind == SERVER]
        known: Mapping[str, Any] = job.scratch.get(GROUND) or {}
        laid_for = {row.id for row in servers}
        if known and laid_for <= set(known.get(LAID_FOR, laid_for)):
            return known
        new_zones = sorted({row.spec["zone"] for row in rows if row.kind == PORT and not row.external_id})
        with run.store.read() as uow:
            names = {
                one: site_name(uow, job.site.id, "flavor", one)
                for one in {row.spec["flavor"] for row in servers}
            }
            networks = {zone: zone_network(uow, job.site.id, zone) or "" for zone in new_zones}
            level = uow.need(InformationSystem, job.point.system_id).mlps_level
        flavors = {one.name: one.id for one in cloud.list_flavors()}
        there = {one.name: one.id for one in cloud.list_networks()} if networks else {}
        missing = [name for name in names.values() if name not in flavors and name not in flavors.values()]
        missing += [
            zone for zone, name in networks.items() if name not in there and name not in there.values()
        ]
        if missing:
            raise CloudRejected("site {site} does not have: {names}", site=job.site.id,
                                names=", ".join(sorted(missing)))  # fmt: skip
        run.must_hold()
        keys = {row.spec.get("ssh_key") for row in servers}
        ground: dict[str, Any] = {
            "flavors": {one: flavors.get(name, name) for one, name in names.items()},
            "networks": {zone: there.get(name, name) for zone, name in networks.items()},
            "groups": {zone: project_setup.ensure_group(inside, zone, level) for zone in new_zones},
            "keys": {key: project_setup.ensure_key(inside, key) for key in sorted(filter(None, keys))},
        }
        for row in servers:
            boot = next(one for one in rows if one.id == row.spec["boot"])
            if boot.external_id is not None:
                inside.make_bootable(boot.external_id)
        ground = {key: {**known.get(key, {}), **found} for key, found in ground.items()}
        ground[LAID_FOR] = sorted(laid_for | set(known.get(LAID_FOR, ())))  # servers come part by part
        with run.write() as (_uow, operation):
            operation.scratch = {**operation.scratch, GROUND: ground}
        return ground

    # -- the calls

    def _maker(
        self,
        run: Run,
        job: RestoreJob,
        inside: CloudInProject,
        by_id: Mapping[str, Resource],
        row: Resource,
        ground: Mapping[str, Any],
    ) -> Callable[[], None]:
        tags = {
            TAG_INSTALLATION: job.installation,
            TAG_SYSTEM: job.point.system_id,
            TAG_RESOURCE: row.id,
            TAG_RESTORE: str(job.restore.id),
        }
        spec = row.spec

        def make_port() -> None:
            run.must_hold()
            zone = spec["zone"]
            new = NewPort(row.name, ground["networks"][zone], (ground["groups"][zone],), tags)
            made = inside.create_port(new)
            if not tags.items() <= made.tags.items():
                inside.tag_port(made.id, tags)

        def make_server() -> None:
            run.must_hold()
            external = {key: one.external_id or "" for key, one in by_id.items()}
            new = NewServer(
                row.name,
                ground["flavors"][spec["flavor"]],
                external[spec["boot"]],
                tuple(external[one] for one in spec["data"]),
                (external[spec["port"]],),
                ground["keys"].get(spec.get("ssh_key")),
                tags,
            )
            try:
                inside.create_server(new)
            except CloudConflict as error:  # its port is not free yet: the server before lets go of it later
                raise CloudBusy("{why}", why=error.text()) from error

        return make_port if row.kind == PORT else make_server

    def _attacher(
        self, run: Run, inside: CloudInProject, by_id: Mapping[str, Resource], row: Resource
    ) -> Callable[[], None]:
        server = by_id[row.spec["attach_to"]]

        def attach() -> None:
            run.must_hold()
            if server.external_id and row.external_id and server.state == ResourceState.ACTIVE:
                inside.attach_volume(server.external_id, row.external_id)

        return attach

    # -- down

    def stop(self, run: Run, job: RestoreJob, servers: Sequence[str]) -> int:
        """Delete the servers of these rows; how many are still there. Their volumes and ports stay."""
        inside = self._clouds.at(job.site.id).in_project(job.restore.to_project)
        with run.store.read() as uow:
            rows = uow.all(Resource, Resource.id.in_(servers))
        ids = {row.external_id for row in rows if row.external_id}
        there = [
            one for one in inside.list_servers() if one.id in ids or one.tags.get(TAG_RESOURCE) in servers
        ]
        self._drop(run, job, inside, [Drop(SERVER, one.id) for one in there])
        return len(there)

    def clear(self, run: Run, job: RestoreJob) -> int:
        """Servers and ports that this restore has made go; how many are still there, or may still come."""
        cloud = self._clouds.at(job.site.id)
        cloud.ensure_own_access(job.restore.to_project)
        inside = cloud.in_project(job.restore.to_project)
        with run.store.read() as uow:
            ids = [one[key] for one in job.restore.plan.get("servers", ()) for key in ("row", "port_row")]
            rows = {row.id: row for row in uow.all(Resource, Resource.id.in_(ids))}
        names = {row.name for row in rows.values() if row.kind == PORT}
        servers = [one for one in inside.list_servers() if job.is_ours(one.tags)]
        ports = [
            one
            for one in inside.list_ports()
            if job.is_ours(one.tags) or (not one.tags and one.name in names)
        ]
        drops = [Drop(SERVER, one.id) for one in servers] or [Drop(PORT, one.id) for one in ports]
        self._drop(run, job, inside, drops)
        horizon = run.clock.now() - timedelta(seconds=self._settings.cloud_timeout_s)
        coming = [row for row in rows.values() if _may_still_come(row, horizon)]
        return len(servers) + len(ports) + len(coming)

    def _drop(self, run: Run, job: RestoreJob, inside: CloudInProject, drops: Iterable[Drop]) -> None:
        calls = [dropper(run, inside, one) for one in drops]
        results = self._lanes.all(job.site.id, job.site.slots, calls)
        error = worst([one for one in results if not isinstance(one.error, CloudBusy)])
        if error is not None:
            raise error


def mark_stopping(uow: UnitOfWork, servers: Sequence[str]) -> None:
    """The servers are in the hands of a restore: a sync that misses them says nothing."""
    uow.update(Resource, Resource.id.in_(servers), state=ResourceState.BUILDING)


def _resources(run: Run, servers: Sequence[str]) -> list[Resource]:
    """The servers with everything they hang on: ports, volumes, and volumes attached later."""
    with run.store.read() as uow:
        rows = uow.all(Resource, Resource.id.in_(servers))
        wanted = {
            one for row in rows for one in (row.spec.get("port"), row.spec["boot"], *row.spec["data"]) if one
        }
        mine = {row.project_id for row in rows}
        volumes = uow.all(
            Resource,
            Resource.kind == VOLUME,
            Resource.project_id.in_(mine),
            Resource.state != ResourceState.RELEASED,
        )
        wanted |= {row.id for row in volumes if row.spec.get("attach_to") in servers}
        return [*rows, *uow.all(Resource, Resource.id.in_(wanted))]


def _must_have_volumes(step: Next, by_id: Mapping[str, Resource]) -> None:
    """Volumes are made elsewhere: one that is gone or broken is neither made anew nor deleted here."""
    for row_id, change in step.changes.items():
        is_right = change.external_id is not None and change.state != ResourceState.ERROR
        if by_id[row_id].kind == VOLUME and not is_right:
            reason = change.note or str(change.state)
            raise BuildFailed(
                "volume {name} cannot be used: {reason}", name=by_id[row_id].name, reason=reason
            )


def _write(run: Run, step: Next) -> None:
    """What the look said, and what is about to be asked for, before it is."""
    columns = {row_id: _columns(change) for row_id, change in step.changes.items()}
    for row_id in step.start:
        had = columns.setdefault(row_id, {})
        had["spec"] = {**had.get("spec", {}), "tried_at": run.clock.now().isoformat()}
    if columns:
        with run.write() as (uow, operation):
            write_rows(uow, columns)
            operation.why = step.why


def _settle(run: Run, seen: Seen, rows: Sequence[Resource]) -> None:
    """Addresses, and since when the servers stand."""
    ports = {one.id: one for one in seen.by_kind.get(PORT, ()) if isinstance(one, Port)}
    ids = [row.id for row in rows if row.kind != VOLUME]
    with run.write() as (uow, _operation):
        there = {row.id: row for row in uow.all(Resource, Resource.id.in_(ids))}
        for row in there.values():
            if row.kind == PORT and row.external_id in ports:
                row.addresses = addresses(ports[row.external_id])
            row.active_at = row.active_at or run.clock.now()
        for row in there.values():
            if row.kind == SERVER:
                row.addresses = dict(there[row.spec["port"]].addresses)


def _as_row(row: Resource) -> Row:
    """Rows count as `building` from the start; for the decision they are intended until they are there."""
    state = row.state if row.external_id is not None else ResourceState.INTENDED
    return Row(row.id, row.kind, row.name, state, row.external_id, row.spec or {})


def _by_id(seen: Seen, rows: Sequence[Resource]) -> Seen:
    """The look with each thing tagged as the row says that has its id; tags alone speak for rows without."""
    owners = {row.external_id: row.id for row in rows if row.external_id}
    settled = set(owners.values())

    def told(thing: Thing) -> Thing:
        owner = owners.get(thing.id)
        tag = thing.tags.get(TAG_RESOURCE)
        if owner is None and tag not in settled:
            return thing
        return replace(thing, tags={**thing.tags, TAG_RESOURCE: owner or f"not {tag}"})

    return Seen({kind: [told(one) for one in things] for kind, things in seen.by_kind.items()})


def _columns(change: Change) -> dict[str, Any]:
    state = ResourceState.BUILDING if change.state == ResourceState.INTENDED else change.state
    spec: dict[str, Any] = {"note": change.note} if change.note else {}
    if change.attempt is not None:
        spec["attempt"] = change.attempt
    if change.not_before is not None:
        spec["not_before"] = change.not_before.isoformat()
    return {"state": state, "external_id": change.external_id, **({"spec": spec} if spec else {})}


def _may_still_come(row: Resource, horizon: datetime) -> bool:
    """Whether a create whose answer nobody has may still take effect."""
    tried_at = (row.spec or {}).get("tried_at")
    return row.external_id is None and tried_at is not None and datetime.fromisoformat(tried_at) > horizon
