"""Tables of the offsite backup: vaults, policies, recovery points with their copies and proofs, restores."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row

_BIG = BigInteger().with_variant(Integer, "sqlite")


class Vault(Row):
    """The bucket of a site in which points are kept unchangeable. Credentials are in stores.yaml only."""

    __tablename__ = "vault"
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    bucket: Mapped[str]
    lock_mode: Mapped[str]  # as probed: compliance, governance, none
    escrow_key: Mapped[str]  # the public key of the site, to which the key of each point is wrapped
    limit_bytes: Mapped[int | None] = mapped_column(_BIG)
    used_bytes: Mapped[int] = mapped_column(_BIG, default=0)
    state: Mapped[str] = mapped_column(default="ready")  # ready, unreachable, full
    note: Mapped[str] = mapped_column(default="")
    probed_at: Mapped[datetime | None]


class BackupPolicy(Row):
    """What is backed up, how often, when, for how long, whereto, and how well that must be proved."""

    __tablename__ = "backup_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="active")  # active, suspended, retired
    tier: Mapped[str]  # T1 ... T4
    every_s: Mapped[int]
    full_every: Mapped[int]  # every nth point of a volume is a full one; 1: always
    window: Mapped[JsonDict] = mapped_column(default=dict)  # {"from": "22:00", "until": "06:00"}
    line_mbit: Mapped[int | None]  # of the line to the vault's site; null: not limited
    retention: Mapped[JsonDict] = mapped_column(default=dict)  # {"last": 7, "daily": 7, "weekly": 4, ...}
    lock_s: Mapped[int]  # how long nothing can delete a point
    vault_sites: Mapped[JsonList] = mapped_column(default=list)
    level: Mapped[str]  # L1 ... L4: what a point must be proved to
    prove_every_s: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime | None]


class PolicyMember(Row):
    """Something that a policy backs up: a system with all its volumes at a site, or a bucket."""

    __tablename__ = "policy_member"
    __table_args__ = (UniqueConstraint("kind", "system_id", "site_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    policy_id: Mapped[int] = mapped_column(ForeignKey("backup_policy.id"), index=True)
    kind: Mapped[str]  # system, volume, bucket
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))  # where it is
    name: Mapped[str] = mapped_column(default="")  # the resource of a volume, the bucket; empty for a system
    checks: Mapped[JsonList] = mapped_column(
        default=list
    )  # how its application is asked: dr/isolated/checks.py
    next_at: Mapped[datetime]  # when the next point is due
    missed: Mapped[int] = mapped_column(default=0)  # points that were due and could not begin, since the last
    last_point_id: Mapped[str | None]
    left_at: Mapped[datetime | None]  # taken out of its policy: no new points; those there are stay


class RecoveryPoint(Row):
    """A backup that can be restored, with the level to which that is proved."""

    __tablename__ = "recovery_point"
    __table_args__ = (Index("ix_recovery_point_member_taken", "member_id", "taken_at"),)
    id: Mapped[str] = mapped_column(primary_key=True)  # is the tag cloudctl:point
    sequence: Mapped[int]  # of the member, from 1; a gap in a vault is a missing point
    member_id: Mapped[int] = mapped_column(ForeignKey("policy_member.id"))
    policy_id: Mapped[int] = mapped_column(ForeignKey("backup_policy.id"), index=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    site_id: Mapped[str]  # where the data was
    kind: Mapped[str]  # full, incremental
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("recovery_point.id"), index=True)
    state: Mapped[str]  # see POINT in cloudctl/lifecycle/points.py
    consistency: Mapped[str] = mapped_column(default="")  # single, quiesced, crash-per-volume
    sealed_key: Mapped[JsonDict] = mapped_column(default=dict)  # site -> the data key, wrapped to its escrow
    topology: Mapped[JsonDict] = mapped_column(default=dict)  # what the system looked like when it was taken
    manifest_sha256: Mapped[str] = mapped_column(default="")
    bytes: Mapped[int] = mapped_column(_BIG, default=0)  # of the volumes
    stored_bytes: Mapped[int] = mapped_column(_BIG, default=0)  # in one vault
    level: Mapped[str | None]  # the highest that is proved and still holds
    verified_at: Mapped[datetime | None]  # when that was proved last
    taken_at: Mapped[datetime | None]  # of what moment the data is
    stored_at: Mapped[datetime | None]  # when the last copy of the policy was sealed
    locked_until: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    operation_id: Mapped[int | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class PointVolume(Row):
    """One volume of a point, and the snapshot and backup that the site's Cinder made of it."""

    __tablename__ = "point_volume"
    __table_args__ = (UniqueConstraint("point_id", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("recovery_point.id"), index=True)
    position: Mapped[int]  # 0 is what the system boots from
    name: Mapped[str]  # of the volume
    volume_id: Mapped[str] = mapped_column(index=True)  # external
    size_gib: Mapped[int]
    volume_type: Mapped[str]
    is_incremental: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="intended")  # intended, snapshotted, made, released
    snapshot_id: Mapped[str | None]
    backup_id: Mapped[str | None]
    parent_backup_id: Mapped[str | None]
    record: Mapped[JsonDict] = mapped_column(default=dict)  # Cinder's own: service, url
    root_sha256: Mapped[str] = mapped_column(default="")  # over the hashes of all blocks, in order
    spec: Mapped[JsonDict] = mapped_column(default=dict)  # attempt, not_before, note


class PointListing(Row):
    """What a bucket had when its point was taken, some thousand entries a row (dr/points/listing.py).

    Kept for the newest point of a member: the next increment is what has changed since.
    """

    __tablename__ = "point_listing"
    point_id: Mapped[str] = mapped_column(ForeignKey("recovery_point.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class PointCopy(Row):
    """A point in one vault."""

    __tablename__ = "point_copy"
    __table_args__ = (UniqueConstraint("point_id", "site_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("recovery_point.id"), index=True)
    site_id: Mapped[str]  # of the vault
    # pending, copying, sealed, suspect, lost, missed (never became complete), expired
    state: Mapped[str] = mapped_column(default="pending")
    lock_mode: Mapped[str] = mapped_column(default="")
    objects_total: Mapped[int] = mapped_column(default=0)
    objects_done: Mapped[int] = mapped_column(default=0)
    bytes_total: Mapped[int] = mapped_column(_BIG, default=0)
    bytes_done: Mapped[int] = mapped_column(_BIG, default=0)
    head_key: Mapped[str] = mapped_column(default="")  # where its head is in the vault
    head_sha256: Mapped[str] = mapped_column(default="")
    level: Mapped[str | None]  # L0, L1 of this copy; more is of the point
    checked_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    sealed_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")


class PointProof(Row):
    """One try to prove a point to a level, from one vault, with what was seen."""

    __tablename__ = "point_proof"
    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("recovery_point.id"), index=True)
    site_id: Mapped[str]  # of the vault it was read from
    level: Mapped[str]  # asked for
    reached: Mapped[str | None]
    state: Mapped[str]  # running, passed, failed, inconclusive
    details: Mapped[JsonDict] = mapped_column(default=dict)  # objects, bytes, faults, times, checks
    signature: Mapped[str] = mapped_column(default="")
    operation_id: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    by: Mapped[str]


class Restore(Row):
    """A point, or a part of it, brought back to a site."""

    __tablename__ = "restore"
    id: Mapped[int] = mapped_column(primary_key=True)
    point_id: Mapped[str] = mapped_column(ForeignKey("recovery_point.id"), index=True)
    from_site_id: Mapped[str]  # of the vault
    to_site_id: Mapped[str]
    to_project: Mapped[str]  # external id
    purpose: Mapped[str]  # restore, proof
    # volumes (new ones), system (servers as well), over (what is there gives way), back (undoes that)
    mode: Mapped[str] = mapped_column(default="volumes")
    plan: Mapped[JsonDict] = mapped_column(default=dict)  # which volumes, types, names, servers
    made: Mapped[JsonDict] = mapped_column(default=dict)  # position -> staged, imported, volume, verified
    # awaiting (a second person), rejected, withdrawn, asked, running, done, failed, undone
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    bytes_done: Mapped[int] = mapped_column(_BIG, default=0)
    bytes_total: Mapped[int] = mapped_column(_BIG, default=0)
    is_verified: Mapped[bool] = mapped_column(default=False)
    operation_id: Mapped[int | None]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    decided_at: Mapped[datetime | None]  # by a second person, where one is needed
    decided_by: Mapped[str | None]
    opinion: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[datetime | None]
