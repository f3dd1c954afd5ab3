"""What a site has to know to work alone, table by table, and why it is not told the rest.

What an installation is in the middle of is not carried on anywhere else: a move that has not ended is told as
something that goes on, never as a row that somebody could take up.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from cloudctl.lifecycle import FailoverState
from cloudctl.mirror import Mirrored
from cloudctl.models import (
    AloneMerge,
    Approval,
    AuditEvent,
    AuditHead,
    BackupPolicy,
    CatalogueItem,
    DatabaseCopy,
    DatabaseRestore,
    Department,
    Division,
    Document,
    Drill,
    DrillCalendar,
    Exemption,
    Facility,
    Failover,
    FailoverApproval,
    GateCertificate,
    Hold,
    InformationSystem,
    Notice,
    Operation,
    PlanReserve,
    PointCopy,
    PointListing,
    PointProof,
    PointVolume,
    PolicyMember,
    Project,
    ProtectionPlan,
    QuotaRow,
    RateFigure,
    RateSnapshot,
    RecoveryPoint,
    Resource,
    Restore,
    RoleGrant,
    Row,
    RunningSpan,
    ServiceRequest,
    Session,
    Shift,
    Site,
    SiteExport,
    SiteLook,
    SiteZone,
    Standby,
    StatisticalRule,
    Step,
    SystemVersion,
    Target,
    TargetNote,
    Token,
    TopologyVersion,
    Traffic,
    User,
    Vault,
    Wave,
    WaveSystem,
)
from dr.alone.rows import Rows, Tables, canonical

Going = list[dict[str, Any]]


def _own(model: type[Row], *columns: str) -> Mirrored:
    return Mirrored(model, frozenset(columns))


_JOB = "operation_id"  # counts the operations of one installation
KEPT: tuple[Mirrored, ...] = (
    # who and where
    *(_own(model) for model in (Division, Department, SiteZone, CatalogueItem, TopologyVersion, RoleGrant)),
    _own(Site, "checked_at", "check", "capacity", "capacity_at", "next_look_at"),
    _own(User, "failed_logins", "locked_until"),
    Mirrored(Token, frozenset({"last_used_at"}), has_own_rows=True),  # people sign in at both
    # systems, and what they are made of
    *(_own(model) for model in (InformationSystem, SystemVersion, Project, QuotaRow, Hold, Approval)),
    _own(ServiceRequest, _JOB),
    _own(Resource, "seen_at"),
    # their points
    *(_own(model) for model in (BackupPolicy, PolicyMember, PointCopy, PointListing, PointVolume)),
    _own(Vault, "probed_at", "note", "state"),
    *(_own(model, _JOB) for model in (RecoveryPoint, PointProof, Restore)),
    # plans, and what was done by them
    _own(ProtectionPlan, "seen_at", "health", "health_why", "readiness", "inventory_now"),
    *(_own(model) for model in (PlanReserve, DrillCalendar, FailoverApproval, Traffic)),
    *(_own(model, _JOB) for model in (Drill, Failover, Shift)),
)

_CHAIN = "each installation has an audit chain of its own"
_WORK = "what an installation is in the middle of is carried on by nobody else"
_SIGNED_IN = "is of one portal"
_FIGURES = "figures of the migration are not needed for a move"
_SELF = "is about the installation itself"
LEFT_OUT: Mapping[type[Row], str] = {
    AuditEvent: _CHAIN, AuditHead: _CHAIN, Operation: _WORK, Step: _WORK, Session: _SIGNED_IN,
    Notice: _SIGNED_IN, DatabaseCopy: _SELF, DatabaseRestore: _SELF, SiteExport: _SELF, Standby: _SELF,
    AloneMerge: _SELF, Document: _FIGURES, Exemption: _FIGURES, Facility: _FIGURES, GateCertificate: _FIGURES,
    RateFigure: _FIGURES, RateSnapshot: _FIGURES, RunningSpan: _FIGURES, SiteLook: _FIGURES,
    StatisticalRule: _FIGURES, Target: _FIGURES, TargetNote: _FIGURES, Wave: _FIGURES, WaveSystem: _FIGURES,
}  # fmt: skip

_MEASURED = {ProtectionPlan.__tablename__: frozenset({"copies", "copies_at"})}
_AT_REST = (FailoverState.REQUESTED.value, FailoverState.SHIFTED.value)
_UNTIL_ENDED = (Drill, Shift, Restore, PointProof, Failover)


def sha256_of(tables: Tables) -> str:
    """Of all rows but those by which people are signed in: what a merge is told to be of."""
    told = {name: rows for name, rows in settled(tables).items() if name != Token.__tablename__}
    return hashlib.sha256(canonical(told)).hexdigest()


def settled(tables: Tables) -> Tables:
    """The tables without what is measured again every minute: it is told, but nobody has changed it."""
    return {name: _without(rows, _MEASURED[name]) if name in _MEASURED else rows
            for name, rows in tables.items()}  # fmt: skip


def at_rest(tables: Tables) -> tuple[Tables, Going]:
    """The tables without what goes on just now, and a line for each move, drill and the like that does.

    A move that nobody has approved yet, or that waits to be committed, is at rest.
    """
    kept, going = dict(tables), []
    for model in _UNTIL_ENDED:
        name = model.__tablename__
        rows = tables.get(name, {})
        kept[name] = {key: row for key, row in rows.items() if _is_at_rest(row)}
        going += [_line(name, row) for key, row in sorted(rows.items()) if key not in kept[name]]
    moves = {row["id"] for row in kept[Failover.__tablename__].values()}
    said: Rows = tables.get(FailoverApproval.__tablename__, {})
    kept[FailoverApproval.__tablename__] = {
        key: row for key, row in said.items() if row["failover_id"] in moves
    }
    return kept, going


def _without(rows: Rows, columns: frozenset[str]) -> Rows:
    return {key: {name: value for name, value in row.items() if name not in columns}
            for key, row in rows.items()}  # fmt: skip


def _is_at_rest(row: Mapping[str, Any]) -> bool:
    return row["ended_at"] is not None or ("owner" in row and row["state"] in _AT_REST)


def _line(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    plan = row.get("plan")
    name = plan.get("name") if isinstance(plan, Mapping) else None
    site = row.get("to_site_id") or row.get("site_id")
    told = {"id": row["id"], "name": name or str(row["id"]), "state": row["state"]}
    return {**told, "kind": table, "site": site}
