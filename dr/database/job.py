"""What one pass over a copy of the database works on, and what is settled before it is put anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl.config import Settings
from cloudctl.models import DatabaseCopy, Operation
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.database.folder import NAME
from dr.points.head import Previous
from dr.points.manifest import FILES, Part
from dr.points.replication import Draft

KIND = "database"  # of the operation
SUBJECT = "database_copy"
MEMBER = "cloudctl-database"  # what the copies are points of, in every vault
SYSTEM = "cloudctl"
FOLDER = "database-copies"  # below the home
PENDING, SEALED, SUSPECT, MISSED, EXPIRED = "pending", "sealed", "suspect", "missed", "expired"
MAKING, PROTECTED, FAILED = "making", "protected", "failed"


@dataclass(frozen=True)
class CopyJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    settings: Settings
    operation: Operation
    copy: DatabaseCopy

    @property
    def scratch(self) -> Mapping[str, Any]:
        return self.operation.scratch or {}

    @property
    def folder(self) -> Path:
        """Where the files lie until every vault has them."""
        return self.settings.home / FOLDER / self.copy.id

    @property
    def proof_folder(self) -> Path:
        """Where they are brought back to be looked at."""
        return self.settings.home / FOLDER / f"{self.copy.id}-proof"

    def sites(self, *states: str) -> list[str]:
        """The sites whose vaults have the copy in one of these states."""
        return sorted(site for site, told in self.copy.vaults.items() if told["state"] in states)

    def head_key(self, site: str) -> str:
        return str(self.copy.vaults[site]["head_key"])


def load(run: Run, settings: Settings) -> CopyJob:
    """Read what the operation is about."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        return CopyJob(settings, operation, uow.need(DatabaseCopy, operation.subject_id))


def write_vault(uow: UnitOfWork, copy_id: str, site: str, **told: object) -> DatabaseCopy:
    """Set what is known of the copy in one vault."""
    row = uow.need(DatabaseCopy, copy_id)
    row.vaults = {**row.vaults, site: {**row.vaults.get(site, {}), **told}}
    uow.flush()
    return row


def draft(job: CopyJob) -> Draft:
    """The copy as a point that belongs to no system of a department; the same in every run."""
    copy, previous = job.copy, job.scratch["previous"]
    assert copy.taken_at is not None
    return Draft(
        installation=job.settings.installation,
        member=MEMBER,
        sequence=copy.sequence,
        point=copy.id,
        kind="full",
        parent=None,
        system=SYSTEM,
        site=SYSTEM,
        consistency="single",
        taken_at=copy.taken_at,
        locked_until=copy.locked_until,
        previous=None if previous is None else Previous(*previous),
        keys={copy.key_id: copy.wrapped_key},
        parts=(Part(0, FILES, "database", NAME, copy.bytes),),
        topology=copy.facts,
    )
