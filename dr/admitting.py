"""The first stage of a backup: what belongs to the point, whether the vaults can take it, and its key.

A vault that cannot be reached does not stop the point: the others go on, and it is waited for later. A vault
without room says so, and the point goes without it; the next one is then a full one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, Misconfigured, NotFound, VaultFull
from cloudctl.escrow import wrap
from cloudctl.models import PointCopy, PointVolume, RecoveryPoint, Vault
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Purpose, Stores
from cloudctl.ports import Volume as CloudVolume
from cloudctl.store import UnitOfWork
from dr.describing import describe
from dr.forecast import GIB, RESERVE_PER_CENT
from dr.keyring import Keyring
from dr.members import Holding, holdings_of, servers_of, volumes_of
from dr.point_job import PointJob
from dr.points.head import point_context
from dr.starting import FULL
from provisioning.lanes import Lanes

SEALED_KEY = "sealed_key"  # where the operation keeps the data key, in the box, until the head is written


class Admission:
    """Plans the rows of a point. Changes nothing at a cloud but cloudctl's own access to its projects."""

    def __init__(
        self, clouds: Clouds, stores: Stores, keyring: Keyring, settings: Settings, lanes: Lanes
    ) -> None:
        self._clouds = clouds
        self._stores = stores
        self._keyring = keyring
        self._settings = settings
        self._lanes = lanes

    def admit(self, run: Run, job: PointJob) -> None:
        """Write the volumes of the point, what each vault said, and the key. Again changes nothing."""
        with run.store.read() as uow:
            holdings = holdings_of(uow, job.member)
            volumes = volumes_of(job.member, holdings)
        there = self._there(job, volumes)
        left_out = [one.name for one in volumes if one.external_id not in there]
        volumes = [one for one in volumes if one.external_id in there]
        if not volumes:
            raise NotFound("{system} has no volume at {site}", system=job.point.system_id, site=job.site.id)
        probes = {copy.site_id: self._probe(copy.site_id) for copy in job.copies}
        total = sum(there[one.external_id].size_gib for one in volumes) * GIB
        with run.write() as (uow, operation):
            uow.insert_missing(
                PointVolume,
                [_row(job, at, one, there[one.external_id]) for at, one in enumerate(volumes)],
            )
            needed = _needed_bytes(uow, job, total)
            self._judge_vaults(uow, run, job, probes, needed)
            point = uow.need(RecoveryPoint, job.point.id)
            point.bytes = total
            point.topology = describe(uow, job.member, volumes, holdings)
            operation.scratch = {
                **operation.scratch,
                **self._key(uow, job, point),
                "servers": servers_of(volumes, holdings),
            }
            operation.step = "freeze"
            operation.progress_total = 2 * len(volumes) + 100 * len(job.copies)
            note = f"left out, for they are not at the cloud: {', '.join(left_out)}" if left_out else ""
            run.journal(uow, "admit", "done", note or f"{len(volumes)} volumes")

    # -- the site

    def _there(self, job: PointJob, volumes: Sequence[Holding]) -> Mapping[str, CloudVolume]:
        """The volumes as the cloud has them now, with access to every project they are in."""
        cloud = self._clouds.at(job.site.id)
        projects = sorted({one.project for one in volumes})
        for project in projects:
            cloud.ensure_own_access(project)
        calls = [cloud.in_project(project).list_volumes for project in projects]
        listings = self._lanes.must(job.site.id, job.site.slots, calls)
        return {one.id: one for listing in listings for one in listing}

    # -- the vaults

    def _probe(self, site_id: str) -> tuple[str, str]:
        """The lock mode read back from the vault, and what went wrong."""
        try:
            return self._stores.vault(site_id, Purpose.READ).lock_mode().value, ""
        except CloudctlError as error:
            return "", error.text()

    def _judge_vaults(
        self,
        uow: UnitOfWork,
        run: Run,
        job: PointJob,
        probes: Mapping[str, tuple[str, str]],
        needed_bytes: int,
    ) -> None:
        """Write what the vaults said. VaultFull when not a single one has room."""
        has_room = []
        for copy in uow.all(PointCopy, PointCopy.point_id == job.point.id):
            vault = uow.get(Vault, copy.site_id)
            if vault is None:
                copy.state, copy.note = "missed", "the site has no vault"
                continue
            lock_mode, trouble = probes[copy.site_id]
            vault.probed_at, vault.note = run.clock.now(), trouble
            vault.state, vault.lock_mode = (
                ("unreachable" if trouble else "ready"),
                lock_mode or vault.lock_mode,
            )
            copy.lock_mode, copy.note = vault.lock_mode, trouble
            free = None if vault.limit_bytes is None else vault.limit_bytes - vault.used_bytes
            if free is not None and needed_bytes > free:
                vault.state = "full"
                copy.state, copy.note = "missed", f"it has room for {max(0, free)} of {needed_bytes} bytes"
                continue
            has_room.append(copy.site_id)
        uow.flush()
        if not has_room:
            raise VaultFull("no vault has room for {bytes} bytes", bytes=needed_bytes)

    # -- the key

    def _key(self, uow: UnitOfWork, job: PointJob, point: RecoveryPoint) -> dict[str, str]:
        """A key of this point alone, wrapped for each site that may have to open it."""
        if SEALED_KEY in job.scratch:
            return {}
        key, context = DataKey.new(), point_context(job.installation, point.id)
        sites = dict.fromkeys([job.site.id, *(copy.site_id for copy in job.copies)])
        vaults = [vault for site in sites if (vault := uow.get(Vault, site)) is not None and vault.escrow_key]
        if not vaults:
            raise Misconfigured("no vault of point {point} has an escrow key", point=point.id)
        point.sealed_key = {vault.site_id: wrap(key, vault.escrow_key, context) for vault in vaults}
        for vault in vaults:
            self._keyring.must_open(vault.site_id, point.sealed_key[vault.site_id], context, key)
        return {SEALED_KEY: self._keyring.keep(key)}


def _needed_bytes(uow: UnitOfWork, job: PointJob, total: int) -> int:
    """How much room a vault must have: what the last point of the kind took and a fifth, else everything."""
    same = (
        RecoveryPoint.member_id == job.member.id,
        RecoveryPoint.kind == job.point.kind,
        RecoveryPoint.stored_bytes > 0,
    )
    last = uow.first(RecoveryPoint, *same, order_by=[RecoveryPoint.sequence.desc()])
    if last is not None:
        return last.stored_bytes * RESERVE_PER_CENT // 100
    return total if job.point.kind == FULL else 0


def _row(job: PointJob, position: int, one: Holding, there: CloudVolume) -> dict[str, Any]:
    return {
        "point_id": job.point.id,
        "position": position,
        "name": one.name,
        "volume_id": one.external_id,
        "size_gib": there.size_gib,
        "volume_type": there.type,
        "is_incremental": False,
        "state": "intended",
        "record": {},
        "root_sha256": "",
        "spec": {"project": one.project},
    }
