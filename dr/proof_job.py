"""What one pass of a proof works on: its rows, read in one short transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.lifecycle import OperationState
from cloudctl.models import Operation, PointCopy, PointProof, RecoveryPoint, Restore
from cloudctl.operations import Run


@dataclass(frozen=True)
class ProofJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    proof: PointProof
    point: RecoveryPoint
    copies: tuple[PointCopy, ...]
    restore_id: int | None  # of the restore that proves L2, once it has begun

    @property
    def scratch(self) -> Mapping[str, Any]:
        return self.operation.scratch or {}

    @property
    def is_undoing(self) -> bool:
        return self.operation.state == OperationState.UNDOING

    @property
    def copy(self) -> PointCopy:
        """The copy that is read."""
        return next(one for one in self.copies if one.site_id == self.proof.site_id)


def load(run: Run, installation: str) -> ProofJob:
    """Read everything the proof is about."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        proof = uow.need(PointProof, int(operation.subject_id))
        own = (Restore.operation_id == operation.id, Restore.purpose == "proof")
        restore = uow.first(Restore, *own)
        return ProofJob(
            installation,
            operation,
            proof,
            uow.need(RecoveryPoint, proof.point_id),
            tuple(uow.all(PointCopy, PointCopy.point_id == proof.point_id, order_by=[PointCopy.site_id])),
            None if restore is None else restore.id,
        )
