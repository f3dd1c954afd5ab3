"""Tables of disaster recovery: plans, drills, failovers, and the names that steer people to a site."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row


class ProtectionPlan(Row):
    """What of a system is protected, whereto, and what a move of it has to reach."""

    __tablename__ = "protection_plan"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)  # is the group at the witness as well
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    revision: Mapped[int] = mapped_column(default=1)
    document: Mapped[JsonDict]  # dr/plans/document.py
    sha256: Mapped[str]  # of the document: what approvals and proofs are bound to
    state: Mapped[str]  # see PLAN in cloudctl/lifecycle/recovery.py
    stale: Mapped[JsonList] = mapped_column(default=list)  # why it is verified no more: age, drift, edit
    faults: Mapped[JsonList] = mapped_column(default=list)  # what keeps it from being used, as last seen
    home_site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    recovery_site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    active_site_id: Mapped[str]  # where it runs now
    epoch: Mapped[int] = mapped_column(default=0)  # as the witness said last; 0: never asked
    health: Mapped[str] = mapped_column(
        default="unprotected"
    )  # see PlanHealth in cloudctl/lifecycle/recovery.py
    health_why: Mapped[JsonList] = mapped_column(default=list)
    seen_at: Mapped[datetime | None]  # when health was looked at
    copies: Mapped[JsonDict] = mapped_column(default=dict)  # of databases that follow: dr/plans/copies.py
    copies_at: Mapped[datetime | None]  # when they were looked at
    readiness: Mapped[JsonDict] = mapped_column(default=dict)  # what would stop a failover, as last seen
    inventory_sha256: Mapped[str] = mapped_column(default="")  # of what it rests on, as it was when verified
    inventory: Mapped[JsonDict] = mapped_column(default=dict)  # the same in words: dr/plans/inventory.py
    inventory_now: Mapped[JsonDict] = mapped_column(default=dict)  # as it was seen last
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[int | None]  # the drill
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str | None]


class PlanReserve(Row):
    """An amount of one kind that is held at the recovery site for the day a plan is carried out."""

    __tablename__ = "plan_reserve"
    plan_id: Mapped[int] = mapped_column(ForeignKey("protection_plan.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    site_id: Mapped[str]
    amount: Mapped[int]
    created_at: Mapped[datetime]


class Drill(Row):
    """A rehearsal of a plan at the recovery site, cut off from everything, with what it measured."""

    __tablename__ = "drill"
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("protection_plan.id"), index=True)
    plan_sha256: Mapped[str]
    plan: Mapped[JsonDict]  # the document as it was
    site_id: Mapped[str]
    point_id: Mapped[str | None]  # where data comes from recovery points
    state: Mapped[str]  # see DRILL in cloudctl/lifecycle/recovery.py
    verdict: Mapped[str | None]  # passed, failed, inconclusive
    why: Mapped[str] = mapped_column(default="")
    options: Mapped[JsonDict] = mapped_column(default=dict)  # hold_s, fault
    made: Mapped[JsonDict] = mapped_column(
        default=dict
    )  # the project, restores, ids: what cleaning looks for
    seen: Mapped[JsonDict] = mapped_column(default=dict)  # isolation, checks, sentinels, times of each part
    left_behind: Mapped[JsonList] = mapped_column(default=list)
    rpo_s: Mapped[float | None]
    rto_s: Mapped[float | None]
    fault_at: Mapped[datetime | None]  # the moment the loss is taken to have happened
    hold_until: Mapped[datetime | None]
    report: Mapped[JsonDict] = mapped_column(default=dict)  # dr/reports
    report_sha256: Mapped[str] = mapped_column(default="")
    signature: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    operation_id: Mapped[int | None]
    begun_at: Mapped[datetime]
    begun_by: Mapped[str]
    ended_at: Mapped[datetime | None]


class DrillCalendar(Row):
    """When a plan is rehearsed by itself."""

    __tablename__ = "drill_calendar"
    plan_id: Mapped[int] = mapped_column(ForeignKey("protection_plan.id"), primary_key=True)
    every_s: Mapped[int]
    window: Mapped[JsonDict] = mapped_column(default=dict)  # {"from": "22:00", "until": "06:00"}
    is_random: Mapped[bool] = mapped_column(default=False)  # any moment of the period, told to nobody before
    hold_s: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    is_on: Mapped[bool] = mapped_column(default=True)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class Failover(Row):
    """The move of a plan's system to the other site; back is a move like any other."""

    __tablename__ = "failover"
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("protection_plan.id"), index=True)
    plan_sha256: Mapped[str]
    plan: Mapped[JsonDict]
    kind: Mapped[str]  # planned, unplanned
    from_site_id: Mapped[str]
    to_site_id: Mapped[str]
    state: Mapped[str]  # see FAILOVER in cloudctl/lifecycle/recovery.py
    owner: Mapped[str]  # what the register is told: whose move made the epoch
    base_epoch: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int | None]
    point_id: Mapped[str | None]
    loss: Mapped[JsonDict] = mapped_column(default=dict)  # what was shown as lost before it was approved
    evidence: Mapped[JsonList] = mapped_column(default=list)  # what each observer saw
    fence: Mapped[JsonDict] = mapped_column(default=dict)  # which rung, and its proof
    marker: Mapped[JsonDict] = mapped_column(default=dict)  # written after the stop, read at the target
    glass: Mapped[JsonDict] = mapped_column(default=dict)  # who broke it, why, and what may conflict
    made: Mapped[JsonDict] = mapped_column(default=dict)
    times: Mapped[JsonDict] = mapped_column(default=dict)  # when each state was reached
    rpo_s: Mapped[float | None]
    rto_s: Mapped[float | None]
    report: Mapped[JsonDict] = mapped_column(default=dict)
    report_sha256: Mapped[str] = mapped_column(default="")
    signature: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    operation_id: Mapped[int | None]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    commit_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class FailoverApproval(Row):
    """One person's word on one move, bound to the very plan it was given for."""

    __tablename__ = "failover_approval"
    __table_args__ = (UniqueConstraint("failover_id", "user_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    failover_id: Mapped[int] = mapped_column(ForeignKey("failover.id"), index=True)
    user_id: Mapped[str]
    role: Mapped[str]
    plan_sha256: Mapped[str]
    opinion: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]


class Traffic(Row):
    """The name under which people reach a system, and the share of them that each site gets."""

    __tablename__ = "traffic"
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("protection_plan.id"), index=True)
    name: Mapped[str] = mapped_column(unique=True)  # fully qualified, with the dot at its end
    ttl_s: Mapped[int]
    addresses: Mapped[JsonDict]  # site -> its addresses, IPv4 and IPv6
    weights: Mapped[JsonDict]  # site -> 0 to 100, as the name service has it
    state: Mapped[str]  # see TRAFFIC in cloudctl/lifecycle/recovery.py
    is_frozen: Mapped[bool] = mapped_column(default=False)
    limits: Mapped[JsonDict] = mapped_column(default=dict)  # headroom, errors, lag
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime | None]


class Shift(Row):
    """A change of shares, step by step, each watched before the next."""

    __tablename__ = "shift"
    id: Mapped[int] = mapped_column(primary_key=True)
    traffic_id: Mapped[int] = mapped_column(ForeignKey("traffic.id"), index=True)
    before: Mapped[JsonDict]  # weights
    after: Mapped[JsonDict]
    steps: Mapped[JsonList]  # weights of each step, the last is `after`
    position: Mapped[int] = mapped_column(default=0)  # steps that are done
    soak_s: Mapped[int]
    soak_until: Mapped[datetime | None]
    state: Mapped[str]  # see SHIFT in cloudctl/lifecycle/recovery.py
    why: Mapped[str] = mapped_column(default="")
    overridden: Mapped[JsonList] = mapped_column(default=list)  # rules that were named and set aside
    seen: Mapped[JsonDict] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(default="")
    operation_id: Mapped[int | None]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    ended_at: Mapped[datetime | None]
