"""Tables of the migration onto the cloud: rules of counting, frozen figures, targets, waves, exemptions."""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row

_BIG = BigInteger().with_variant(Integer, "sqlite")


class StatisticalRule(Row):
    """A version of a rule of counting (统计口径), whole; never changed once written."""

    __tablename__ = "statistical_rule"
    __table_args__ = (UniqueConstraint("name", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    document: Mapped[JsonDict]
    sha256: Mapped[str]
    is_current: Mapped[bool] = mapped_column(default=False)  # what is counted by when nobody names a rule
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class RateSnapshot(Row):
    """The figures of a month, frozen with the rule and the list they were counted from."""

    __tablename__ = "rate_snapshot"
    __table_args__ = (UniqueConstraint("month", "rule_name", "revision"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(index=True)  # 2026-11
    revision: Mapped[int]  # 1 is the first; a correction is the next
    cut_off_at: Mapped[datetime]
    rule_id: Mapped[int] = mapped_column(ForeignKey("statistical_rule.id"))
    rule_name: Mapped[str]
    systems: Mapped[bytes] = mapped_column(LargeBinary)  # zlib of one JSON line a system
    sha256: Mapped[str]  # over rule, list, figures and the hash of the snapshot before
    previous_sha256: Mapped[str] = mapped_column(unique=True)  # nothing branches off a chain
    reason: Mapped[str] = mapped_column(default="")
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class RateFigure(Row):
    """One line of a snapshot: what was counted in one scope, of one group."""

    __tablename__ = "rate_figure"
    __table_args__ = (UniqueConstraint("snapshot_id", "scope", "group"),)
    id: Mapped[int] = mapped_column(_BIG, primary_key=True)
    snapshot_id: Mapped[int] = mapped_column(ForeignKey("rate_snapshot.id"))
    scope: Mapped[str] = mapped_column(index=True)  # division:450100, own:450000, department:gx-finance
    group: Mapped[str] = mapped_column(default="all")  # all, new, mlps:3, level:city
    registered: Mapped[int] = mapped_column(default=0)
    denominator: Mapped[int] = mapped_column(default=0)
    numerator_hundredths: Mapped[int] = mapped_column(
        default=0
    )  # a partly moved system may weigh less than 100
    verified_hundredths: Mapped[int] = mapped_column(default=0)
    unknown: Mapped[int] = mapped_column(default=0)  # counted, with evidence that cannot be had yet
    idle: Mapped[int] = mapped_column(default=0)  # 假上云
    excluded: Mapped[JsonDict] = mapped_column(default=dict)  # reason -> how many


class Target(Row):
    """What has to be reached, by when, and which document says so."""

    __tablename__ = "target"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    scope: Mapped[str] = mapped_column(index=True)
    measure: Mapped[str]  # migration_rate, verified_rate, new_systems_rate, ipv6_rate, facilities_ended ...
    value: Mapped[int]  # in hundredths of a percent: 9500 is 95 %
    due_on: Mapped[date]
    source: Mapped[str]  # the document
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("target.id"), index=True)
    leader: Mapped[str | None]  # 分管领导
    unit: Mapped[str | None]  # 责任单位
    person: Mapped[str | None]  # 责任人
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    closed_at: Mapped[datetime | None]


class TargetNote(Row):
    """Somebody urged (催办) about a target, or reported on it (报送)."""

    __tablename__ = "target_note"
    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("target.id"), index=True)
    kind: Mapped[str]  # urged, reported
    text: Mapped[str]
    figures: Mapped[JsonDict] = mapped_column(default=dict)  # as they were in that moment
    at: Mapped[datetime]
    by: Mapped[str]


class Exemption(Row):
    """A system that need not move (不宜上云): asked by one person, decided by another, never for ever."""

    __tablename__ = "exemption"
    id: Mapped[int] = mapped_column(primary_key=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    state: Mapped[str]  # asked, approved, rejected, withdrawn, revoked
    clause: Mapped[str]  # of the policy that allows it
    document: Mapped[str]  # number of the approval
    until: Mapped[date]
    reason: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    opinion: Mapped[str] = mapped_column(default="")


class Wave(Row):
    """Systems that move together (迁移批次)."""

    __tablename__ = "wave"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]  # whose wave: division:450000, department:gx-finance
    position: Mapped[int]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    is_pilot: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="draft")  # draft, running, done, cancelled
    after: Mapped[JsonList] = mapped_column(default=list)  # ids of the waves that must be done before
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class WaveSystem(Row):
    """A system in a wave, what it will need (云资源测算清单), and the request that asks for it."""

    __tablename__ = "wave_system"
    __table_args__ = (UniqueConstraint("wave_id", "system_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    wave_id: Mapped[int] = mapped_column(ForeignKey("wave.id"), index=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    position: Mapped[int]
    after: Mapped[JsonList] = mapped_column(default=list)  # ids of systems that must have moved before
    form: Mapped[JsonDict] = mapped_column(default=dict)  # a request's form; empty: not sized yet
    request_id: Mapped[int | None]


class GateCertificate(Row):
    """The answer to "does it rely on the government cloud", as it was given; checked by its code."""

    __tablename__ = "gate_certificate"
    code: Mapped[str] = mapped_column(primary_key=True)
    system_id: Mapped[str] = mapped_column(index=True)
    verdict: Mapped[str]  # relies, committed, exempt, does_not_rely
    content: Mapped[JsonDict]  # what the certificate says
    signature: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str]
    valid_until: Mapped[date]


class Document(Row):
    """A file that cloudctl made: a bulletin, a sheet of faults. Read by whoever it was made for."""

    __tablename__ = "document"
    __table_args__ = (Index("ix_document_kind_made", "kind", "made_at"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # bulletin, import_faults
    name: Mapped[str]  # of the file, with its ending
    media_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str]
    owner_id: Mapped[str | None]  # only this user may read it; null: everybody who may see figures
    subject: Mapped[str] = mapped_column(default="")  # 2026-11/division:450100
    operation_id: Mapped[int | None]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
