"""What one pass of a restore works on: its rows, the chain of points it reads, and where each head is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault, NotFound, NotProved
from cloudctl.lifecycle import OperationState
from cloudctl.models import Operation, PointCopy, RecoveryPoint, Restore, Site
from cloudctl.operations import Run
from cloudctl.ports import TAG_RESOURCE, ObjectStore
from cloudctl.store import UnitOfWork
from dr import marks
from dr.keyring import Keyring
from dr.point_job import chain_of
from dr.points.checking import check
from dr.points.manifest import Manifest, Part
from dr.points.reading import unlocked
from dr.restore_plan import BACK

ADOPTING = "failover-replicas"  # a purpose: its volumes are the storage's own copies, and no vault is read


@dataclass(frozen=True)
class Link:
    """One point of the chain, and its copy in the vault that is read."""

    point: RecoveryPoint
    copy: PointCopy


@dataclass(frozen=True)
class RestoreJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    restore: Restore
    point: RecoveryPoint
    chain: tuple[Link, ...]  # the full one first
    site: Site  # to which it goes

    @property
    def scratch(self) -> Mapping[str, Any]:
        return self.operation.scratch or {}

    @property
    def is_undoing(self) -> bool:
        return self.operation.state == OperationState.UNDOING

    @property
    def is_proof(self) -> bool:
        return self.restore.purpose == "proof"

    @property
    def made(self) -> Mapping[str, Any]:
        return self.restore.made or {}

    def made_of(self, position: int) -> Mapping[str, Any]:
        """What has been made so far for one volume."""
        found: Mapping[str, Any] = self.made.get(str(position), {})
        return found

    @property
    def prefix(self) -> str:
        """Under which this restore puts objects into the site's own bucket; nobody else does."""
        return f"cloudctl-{self.installation[:12]}-restore-{self.restore.id}"

    def tags(self, position: int) -> dict[str, str]:
        """What is written on a new volume, with the id of its row where it has one."""
        tags = marks.of_restore(self.installation, self.point.system_id, self.restore.id, position)
        row_id = (self.restore.plan.get("rows") or {}).get(str(position))
        return {**tags, TAG_RESOURCE: row_id} if row_id else tags

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        return marks.is_of(tags, self.installation, marks.TAG_RESTORE, self.restore.id)


@dataclass(frozen=True)
class Wanted:
    """One volume that is brought back: its part in each point of the chain, the full one first."""

    position: int
    name: str
    type: str
    parts: tuple[tuple[str, Part], ...]  # point, part

    @property
    def part(self) -> Part:
        """What the volume is in the end."""
        return self.parts[-1][1]


def load(run: Run, installation: str, restore_id: int) -> RestoreJob:
    """Read everything the restore is about. NotFound when the vault lacks a point of the chain."""
    with run.store.read() as uow:
        return read(uow, uow.need(Operation, run.operation_id), installation, restore_id)


def read(uow: UnitOfWork, operation: Operation, installation: str, restore_id: int) -> RestoreJob:
    """The rows of the restore, in the caller's transaction. NotFound when it is gone."""
    restore = uow.need(Restore, restore_id)
    point = uow.need(RecoveryPoint, restore.point_id)
    return RestoreJob(
        installation,
        operation,
        restore,
        point,
        links_of(uow, point, restore.from_site_id) if _reads_a_vault(restore) else (),
        uow.need(Site, restore.to_site_id),
    )


def _reads_a_vault(restore: Restore) -> bool:
    return restore.mode != BACK and restore.purpose != ADOPTING


def links_of(uow: UnitOfWork, point: RecoveryPoint, site_id: str) -> tuple[Link, ...]:
    """The chain of the point in one vault, the full one first."""
    links = []
    for one in chain_of(uow, point):
        copy = uow.first(PointCopy, PointCopy.point_id == one.id, PointCopy.site_id == site_id)
        if copy is None or not copy.head_key:
            raise NotFound("the vault of {site} has no copy of point {point}", site=site_id, point=one.id)
        links.append(Link(one, copy))
    return tuple(links)


def write_made(uow: UnitOfWork, restore_id: int, changes: Mapping[int, Mapping[str, Any]]) -> Restore:
    """Merge what was made, by position."""
    restore = uow.need(Restore, restore_id)
    made = dict(restore.made or {})
    for position, values in changes.items():
        made[str(position)] = {**made.get(str(position), {}), **values}
    restore.made = made
    uow.flush()
    return restore


def wanted(manifests: Sequence[Manifest], asked: Iterable[Mapping[str, Any]], prefix: str) -> list[Wanted]:
    """Pure: which volumes are brought back, out of the manifests of the chain (the full one first).

    NotProved when a link of a chain is missing or is no backup; NotFound for a position that is none.
    """
    last = manifests[-1]
    parts = {part.position: part for part in last.parts}
    chosen = {int(one["position"]): one for one in asked} or {position: {} for position in parts}
    found = []
    for position in sorted(chosen):
        if position not in parts:
            raise NotFound("the point has no volume {position}", position=position)
        part, one = parts[position], chosen[position]
        name = one.get("name") or f"{prefix}-{part.name or position}"
        found.append(Wanted(position, name, one.get("type") or part.volume_type, _chain(manifests, part)))
    return found


def _chain(manifests: Sequence[Manifest], part: Part) -> tuple[tuple[str, Part], ...]:
    chain = [(manifests[-1].point, part)]
    for manifest in reversed(manifests[:-1]):
        before = chain[0][1]
        if before.parent_backup_id is None:
            break
        parents = [one for one in manifest.parts if one.backup_id == before.parent_backup_id]
        if parents:
            chain.insert(0, (manifest.point, parents[0]))
    if chain[0][1].parent_backup_id is not None:
        template = "the backup {backup}, on which it rests, is in no point of the chain"
        fault = Fault(part.name, "no_parent", template, {"backup": chain[0][1].parent_backup_id})
        raise NotProved("the chain of a volume is not whole", faults=[fault])
    return tuple(chain)


def read_link(
    job: RestoreJob, link: Link, vault: ObjectStore, keyring: Keyring, now: datetime
) -> tuple[Manifest, DataKey]:
    """Manifest and key of one point of the chain; NotProved when the vault does not have all of it."""
    escrow = keyring.need([job.restore.from_site_id, *link.point.sealed_key])
    judgement = check(
        vault,
        link.copy.head_key,
        keyring.trusted(),
        escrow,
        now=now,
        level="L0",
        expected_head_sha256=link.copy.head_sha256 or None,
    )
    if judgement.head is None or judgement.manifest is None or judgement.broken:
        raise NotProved(
            "the vault of {site} does not have all of point {point}",
            site=job.restore.from_site_id, point=link.point.id, faults=judgement.faults,
        )  # fmt: skip
    return judgement.manifest, unlocked(judgement.head, escrow)
