"""Copies out of a vault into the database that came back from one of them: it knows none that is newer, and
of its own it knows only that it was being made."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudctl.clock import Clock
from cloudctl.escrow import EscrowKey
from cloudctl.lifecycle import OperationState
from cloudctl.models import DatabaseCopy, Operation
from cloudctl.observing import HARMLESS
from cloudctl.operations import OPEN
from cloudctl.secrets import Box
from cloudctl.store import UnitOfWork
from dr.database.job import KIND, SEALED
from dr.points.head import Head
from dr.points.manifest import Manifest
from dr.points.reading import FoundPoint

BY = "system"
WHY = "waits until two people have confirmed that the installation may act"


@dataclass(frozen=True)
class Origin:
    """The vault of a site, the copies it has, the one that was brought back, and what opens them."""

    site: str
    key: EscrowKey
    points: Sequence[FoundPoint]
    chosen: FoundPoint
    manifest: Manifest


def take_up(uow: UnitOfWork, clock: Clock, box: Box, origin: Origin) -> None:
    """Every copy of the vault is on record afterwards, so that the next one follows the last; work that was
    going on when the copy was taken waits, and that on the copy itself has ended."""
    for found in origin.points:
        known = uow.get(DatabaseCopy, found.head.point)
        if known is not None and found is not origin.chosen:
            continue
        row = known or uow.add(_row(found.head, clock))
        _fill(row, found, box, origin)
        if found is origin.chosen:
            row.facts = dict(origin.manifest.topology)
    mine = (Operation.kind == KIND, Operation.state.in_(OPEN))
    for operation in uow.all(Operation, *mine):
        operation.state, operation.step, operation.why = OperationState.DONE, "end", ""
        operation.ended_at, operation.lease_owner, operation.lease_until = clock.now(), None, None
    uow.update(Operation, Operation.state.in_(OPEN), Operation.kind.not_in(HARMLESS), why=WHY)


def _row(head: Head, clock: Clock) -> DatabaseCopy:
    return DatabaseCopy(
        id=head.point, sequence=head.sequence, state=SEALED, created_at=clock.now(), created_by=BY
    )


def _fill(row: DatabaseCopy, found: FoundPoint, box: Box, origin: Origin) -> None:
    """What the head says, and the key with which the copy can be proved without the recovery key."""
    head, key = found.head, origin.key
    row.state, row.head_sha256 = SEALED, found.head_sha256
    row.taken_at, row.stored_at, row.locked_until = head.taken_at, found.stored_at, head.locked_until
    row.bytes, row.key_id, row.wrapped_key = head.plain_bytes, key.id, head.keys.get(key.id, "")
    told = {"state": SEALED, "level": None, "checked_at": None, "head_key": head.key, "note": ""}
    row.vaults = {origin.site: told}
    if row.wrapped_key:
        row.kept_key = box.seal(key.unwrap(row.wrapped_key, head.context).raw.hex())
