"""Tables of the register: information systems with their whole history, and what they leave behind.

`information_system` is the state now; `system_version` is every state there ever was, each from one moment
to the next. What figures are counted from has columns of its own, the rest of a record lies in `details`.
The fields, their words and their rules are in `tenants/register/fields.py`.
"""

from datetime import UTC, date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, Row

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)  # the end of a version that still holds


class InformationSystem(Row):
    """A government information system in the register, as it is now."""

    __tablename__ = "information_system"
    id: Mapped[str] = mapped_column(primary_key=True)  # its stable code: gx-finance-budget
    name: Mapped[str]
    department_id: Mapped[str] = mapped_column(ForeignKey("department.id"), index=True)
    division_code: Mapped[str | None]  # null: its department's
    level: Mapped[str | None]  # national, province, city, county; null: of its department's division
    category: Mapped[str | None]
    zone: Mapped[str | None]  # public, dedicated, internet
    life_state: Mapped[str] = mapped_column(default="in_use")
    is_classified: Mapped[bool] = mapped_column(default=False)  # 涉密: can never get a resource
    has_decision: Mapped[bool] = mapped_column(default=False)  # the classification decision has its document
    mlps_level: Mapped[int] = mapped_column(default=2)
    is_key_application: Mapped[bool] = mapped_column(default=False)
    has_key_data: Mapped[bool] = mapped_column(default=False)
    basic_library: Mapped[str | None]
    dr_tier: Mapped[int | None]  # wanted: 0 to 4
    hosting: Mapped[str] = mapped_column(default="own_room")
    ipv6_state: Mapped[str] = mapped_column(default="none")
    is_centrally_built: Mapped[bool] = mapped_column(default=False)  # 国家、部委统建, not hosted by us
    commissioned_on: Mapped[date | None]
    stage: Mapped[str] = mapped_column(default="registered")  # of its migration
    agreement: Mapped[str | None]  # full, partial
    exempt_until: Mapped[date | None]
    old_host_off_on: Mapped[date | None]
    merged_into_id: Mapped[str | None]
    split_from_id: Mapped[str | None]
    details: Mapped[JsonDict] = mapped_column(default=dict)
    origin: Mapped[str] = mapped_column(default="topology")  # topology, or register once that has it
    changed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class SystemVersion(Row):
    """What the register said of a system from one moment to the next; the newest ends FOREVER."""

    __tablename__ = "system_version"
    __table_args__ = (
        Index("ix_system_version_system", "system_id", "valid_from"),
        Index("ix_system_version_span", "valid_to", "valid_from"),
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime] = mapped_column(default=FOREVER)
    department_id: Mapped[str]
    division_code: Mapped[str]  # resolved: never null here
    level: Mapped[str]  # resolved
    life_state: Mapped[str]
    is_classified: Mapped[bool]
    has_decision: Mapped[bool]
    mlps_level: Mapped[int]
    dr_tier: Mapped[int | None]
    hosting: Mapped[str]
    ipv6_state: Mapped[str]
    is_centrally_built: Mapped[bool]
    commissioned_on: Mapped[date | None]
    stage: Mapped[str]
    agreement: Mapped[str | None]
    exempt_until: Mapped[date | None]
    old_host_off_on: Mapped[date | None]
    changes: Mapped[JsonDict] = mapped_column(default=dict)  # field -> [before, after]
    changed_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")  # import:budget.xlsx, stage, set, merge ...


class RunningSpan(Row):
    """A stretch of time in which looks at a site always found a running server of the system."""

    __tablename__ = "running_span"
    __table_args__ = (Index("ix_running_span_system", "system_id", "site_id", "until"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    since: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    longest_gap_s: Mapped[int] = mapped_column(default=0)  # between two looks of this stretch
    until: Mapped[datetime | None]  # when a look found none any more; null: it still runs


class SiteLook(Row):
    """A day on which somebody looked at all servers of a site: what was not found then was not there."""

    __tablename__ = "site_look"
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # in Beijing time
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Facility(Row):
    """What is to go when systems have moved: a private network, a room, an exit, a web site, a cloud."""

    __tablename__ = "facility"
    id: Mapped[str] = mapped_column(primary_key=True)  # its stable code
    name: Mapped[str]
    kind: Mapped[str]  # private_network, website, machine_room, internet_exit, self_built_cloud
    department_id: Mapped[str] = mapped_column(ForeignKey("department.id"), index=True)
    state: Mapped[str] = mapped_column(default="in_use")  # in_use, planned, ended
    ends_on: Mapped[date | None]  # when it has to be gone
    ended_on: Mapped[date | None]
    yearly_cost_yuan: Mapped[int | None] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    document: Mapped[str | None]  # on what ground it ends, or may stay
    details: Mapped[JsonDict] = mapped_column(default=dict)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
