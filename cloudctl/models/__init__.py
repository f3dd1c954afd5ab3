"""Every table, one module per area; rows have columns and constraints and no behaviour."""

from cloudctl.models.audit import AuditEvent, AuditHead
from cloudctl.models.backup import (
    BackupPolicy,
    PointCopy,
    PointListing,
    PointProof,
    PointVolume,
    PolicyMember,
    RecoveryPoint,
    Restore,
    Vault,
)
from cloudctl.models.database import DatabaseCopy, DatabaseRestore
from cloudctl.models.migration import (
    Document,
    Exemption,
    GateCertificate,
    RateFigure,
    RateSnapshot,
    StatisticalRule,
    Target,
    TargetNote,
    Wave,
    WaveSystem,
)
from cloudctl.models.operations import Operation, Resource, Step
from cloudctl.models.people import RoleGrant, Session, Token, User
from cloudctl.models.quota import ANY_SITE, Hold, QuotaRow
from cloudctl.models.register import (
    FOREVER,
    Facility,
    InformationSystem,
    RunningSpan,
    SiteLook,
    SystemVersion,
)
from cloudctl.models.requests import Approval, Notice, ServiceRequest
from cloudctl.models.row import Row, UtcDateTime
from cloudctl.models.topology import (
    CatalogueItem,
    Department,
    Division,
    Project,
    Site,
    SiteZone,
    TopologyVersion,
)

__all__ = [
    "ANY_SITE",
    "FOREVER",
    "Approval",
    "AuditEvent",
    "AuditHead",
    "BackupPolicy",
    "CatalogueItem",
    "DatabaseCopy",
    "DatabaseRestore",
    "Department",
    "Division",
    "Document",
    "Exemption",
    "Facility",
    "GateCertificate",
    "Hold",
    "InformationSystem",
    "Notice",
    "Operation",
    "PointCopy",
    "PointListing",
    "PointProof",
    "PointVolume",
    "PolicyMember",
    "Project",
    "QuotaRow",
    "RateFigure",
    "RateSnapshot",
    "RecoveryPoint",
    "Resource",
    "Restore",
    "RoleGrant",
    "Row",
    "RunningSpan",
    "ServiceRequest",
    "Session",
    "Site",
    "SiteLook",
    "SiteZone",
    "StatisticalRule",
    "Step",
    "SystemVersion",
    "Target",
    "TargetNote",
    "Token",
    "TopologyVersion",
    "User",
    "UtcDateTime",
    "Vault",
    "Wave",
    "WaveSystem",
]
