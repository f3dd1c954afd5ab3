"""Tables about cloudctl's own database: its copies in the vaults, and that it was brought back from one."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row

_BIG = BigInteger().with_variant(Integer, "sqlite")


class DatabaseCopy(Row):
    """A copy of this database, sealed, in every vault."""

    __tablename__ = "database_copy"
    id: Mapped[str] = mapped_column(primary_key=True)  # of the point in the vaults
    sequence: Mapped[int] = mapped_column(unique=True)  # from 1; a gap in a vault is a missing copy
    state: Mapped[str]  # making, protected, suspect, failed, expired; sealed: found in a vault
    facts: Mapped[JsonDict] = mapped_column(default=dict)  # dialect, schema, audit_seq, audit_hash, cloudctl
    bytes: Mapped[int] = mapped_column(_BIG, default=0)  # of its files
    vaults: Mapped[JsonDict] = mapped_column(default=dict)  # site -> state, level, checked_at, head_key, note
    head_sha256: Mapped[str] = mapped_column(default="")
    key_id: Mapped[str] = mapped_column(default="")  # of the recovery key
    wrapped_key: Mapped[str] = mapped_column(default="")  # the data key, for the recovery key
    kept_key: Mapped[str] = mapped_column(default="")  # the data key, for the box of this installation
    level: Mapped[str | None]  # L0 exists, L1 read back, L2 restored and checked
    verified_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]  # of what moment the data is
    stored_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    operation_id: Mapped[int | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class DatabaseRestore(Row):
    """This database was brought back out of a vault. While one has not ended, nothing is done to a cloud."""

    __tablename__ = "database_restore"
    id: Mapped[int] = mapped_column(primary_key=True)
    copy_id: Mapped[str]
    source: Mapped[str]  # s3://BUCKET
    taken_at: Mapped[datetime]
    restored_at: Mapped[datetime]
    restored_by: Mapped[str]
    confirmations: Mapped[JsonList] = mapped_column(default=list)  # user, at, reason
    ended_at: Mapped[datetime | None]
