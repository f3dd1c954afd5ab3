"""Tables of durable work and of what it makes."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, Row


class Operation(Row):
    """A durable long-running job. Who holds the lease with the newest fence may write; nobody else."""

    __tablename__ = "operation"
    __table_args__ = (Index("ix_operation_due", "state", "next_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # build, release, ...
    subject_kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(index=True)
    site_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="queued")
    step: Mapped[str] = mapped_column(default="")  # where the flow stands, a word of the flow
    why: Mapped[str] = mapped_column(default="")  # what it waits for, for whoever watches
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    scratch: Mapped[JsonDict] = mapped_column(default=dict)  # the flow's own memory
    attempts: Mapped[int] = mapped_column(default=0)  # tries in a row that failed
    next_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    cancel_asked_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    cloud_request_id: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Step(Row):
    """One journaled step of an operation."""

    __tablename__ = "step"
    __table_args__ = (UniqueConstraint("operation_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    operation_id: Mapped[int] = mapped_column(ForeignKey("operation.id"), index=True)
    name: Mapped[str]
    state: Mapped[str]  # started, done, failed, undone
    note: Mapped[str] = mapped_column(default="")
    cloud_request_id: Mapped[str | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Resource(Row):
    """A server, volume, port, security group or key pair that we made, adopted or found.

    `name` is deterministic and unique at its site; the row is written before the cloud is asked.
    """

    __tablename__ = "resource"
    __table_args__ = (
        UniqueConstraint("site_id", "kind", "name"),
        Index("ix_resource_external", "site_id", "kind", "external_id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)  # is the tag cloudctl:resource
    kind: Mapped[str]  # server, volume, port, security_group
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id"), index=True)
    system_id: Mapped[str | None] = mapped_column(ForeignKey("information_system.id"), index=True)
    department_id: Mapped[str | None] = mapped_column(ForeignKey("department.id"), index=True)
    request_id: Mapped[int | None] = mapped_column(ForeignKey("service_request.id"), index=True)
    name: Mapped[str]
    external_id: Mapped[str | None]
    state: Mapped[str]
    origin: Mapped[str] = mapped_column(default="made")  # made, adopted, found
    spec: Mapped[JsonDict] = mapped_column(default=dict)  # flavor, size_gib, server, ...
    amounts: Mapped[JsonDict] = mapped_column(default=dict)  # what it counts in the ledger
    addresses: Mapped[JsonDict] = mapped_column(default=dict)
    cloud_request_id: Mapped[str | None]
    created_at: Mapped[datetime]
    active_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # by the last sync
    ended_at: Mapped[datetime | None]
