"""The ladder of proof, and what a proof means for a copy and for its point.

L0  everything is there and locked            read from the vault
L1  every byte is right                       read from the vault
L2  restored, the volumes have the same bytes at the vault's site, from the vault alone
L3  it boots, cut off from everything         started in isolation at the vault's site
L4  the application answers                   the same, and its checks pass
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cloudctl.errors import Fault
from cloudctl.lifecycle import PointState
from cloudctl.models import PointCopy, PointProof, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.point_job import move_point
from dr.points.fields import canonical
from dr.points.head import Signs

LEVELS = ("L0", "L1", "L2", "L3", "L4")
BY_READING = ("L0", "L1")
BY_RUNNING = ("L3", "L4")
GONE = ("missed", "expired", "pending", "copying")  # copies that say nothing about the point


def rank(level: str | None) -> int:
    """Higher is more; -1 is nothing."""
    return LEVELS.index(level) if level in LEVELS else -1


def highest(levels: Iterable[str | None]) -> str | None:
    """The highest of these levels."""
    found = [level for level in levels if level is not None]
    return max(found, key=rank, default=None)


def told(faults: Sequence[Fault], most: int = 50) -> list[dict[str, Any]]:
    """Faults as JSON keeps them: place, code, words."""
    return [{"place": one.place, "code": one.code, "text": one.text()} for one in faults[:most]]


def note_passed(uow: UnitOfWork, point_id: str, site_id: str, level: str, now: datetime) -> None:
    """A proof went well: the copy is right, and the point when no other copy of it is wrong."""
    copy = _copy(uow, point_id, site_id)
    copy.state, copy.note, copy.checked_at = "sealed", "", now
    copy.level = "L1" if rank(level) >= 1 else highest([copy.level, level])
    point = uow.need(RecoveryPoint, point_id)
    if rank(level) >= rank(point.level):
        point.level, point.verified_at = level, now
    uow.flush()
    if rank(level) < 1:
        return  # that everything is there makes nothing protected
    others = _others(uow, point_id, copy.id)
    if any(one.state in {"suspect", "lost"} for one in others):
        return
    if rank(level) >= rank("L2") or not _could_not_be_restored(uow, point_id):
        move_point(uow, point_id, "prove")


def note_silent(uow: UnitOfWork, point_id: str, holds: str, now: datetime) -> None:
    """The bytes are right, and what they start does not answer: the point is worth no more than `holds`."""
    point = uow.need(RecoveryPoint, point_id)
    if rank(point.level) > rank(holds):
        point.level, point.verified_at = holds, now
    uow.flush()


def note_failed(
    uow: UnitOfWork, point_id: str, site_id: str, holds: str | None, why: str, now: datetime
) -> None:
    """A proof showed that something is wrong: the copy is suspect, and the point is worth what is left.

    `holds` is the level that this copy still has. A point of which no copy can be read is lost.
    """
    copy = _copy(uow, point_id, site_id)
    copy.level, copy.checked_at, copy.note = holds, now, why
    is_right = rank(holds) >= 1
    copy.state = "sealed" if is_right else "suspect"
    uow.flush()
    others = [one.level for one in _others(uow, point_id, copy.id) if one.state == "sealed"]
    best = highest([*others, holds if is_right else None])
    point = move_point(uow, point_id, "doubt") if _can_doubt(uow, point_id) else None
    point = point or uow.need(RecoveryPoint, point_id)
    if rank(point.level) > rank(best):
        point.level = best
        point.verified_at = now if best is not None else None
    uow.flush()


def note_lost(uow: UnitOfWork, point_id: str, site_id: str) -> None:
    """What is wrong with the copy can be put right from nowhere."""
    copy = _copy(uow, point_id, site_id)
    copy.state = "lost"
    uow.flush()
    others = [one for one in _others(uow, point_id, copy.id) if one.state not in GONE]
    point = uow.need(RecoveryPoint, point_id)
    if all(one.state == "lost" for one in others) and point.state == PointState.SUSPECT:
        move_point(uow, point_id, "lose")


def sign(run: Run, signer: Signs, proof: PointProof, step: str) -> None:
    """Sign what a proof saw, so that whoever has the public key can check it later; go on to `step`.

    Again signs again, with the time of then.
    """
    now = run.clock.now()
    words = {
        "point": proof.point_id,
        "site": proof.site_id,
        "level": proof.level,
        "reached": proof.reached,
        "state": proof.state,
        "ended_at": now.isoformat(),
        "details": dict(proof.details),
    }
    signature = signer.sign(canonical(words))
    with run.write() as (uow, operation):
        row = uow.need(PointProof, proof.id)
        row.ended_at, row.signature = now, signature
        operation.step, operation.progress_done = step, operation.progress_total
        run.journal(uow, "proof", "done", f"{proof.state}: {proof.reached or 'nothing'}")


def _could_not_be_restored(uow: UnitOfWork, point_id: str) -> bool:
    """Whether the last restore of the point gave other bytes: reading it again does not take that back."""
    by_restoring = (PointProof.level.not_in(BY_READING), PointProof.state != "running")
    last = uow.first(
        PointProof,
        PointProof.point_id == point_id,
        *by_restoring,
        PointProof.reached.is_not(None),
        order_by=[PointProof.id.desc()],
    )
    return last is not None and last.state == "failed" and "L2" in (last.details or {})


def _can_doubt(uow: UnitOfWork, point_id: str) -> bool:
    state = uow.need(RecoveryPoint, point_id).state
    return state in {PointState.SEALED, PointState.PROTECTED, PointState.SUSPECT}


def _copy(uow: UnitOfWork, point_id: str, site_id: str) -> PointCopy:
    copy = uow.first(PointCopy, PointCopy.point_id == point_id, PointCopy.site_id == site_id)
    assert copy is not None
    return copy


def _others(uow: UnitOfWork, point_id: str, copy_id: int) -> list[PointCopy]:
    return uow.all(PointCopy, PointCopy.point_id == point_id, PointCopy.id != copy_id)
