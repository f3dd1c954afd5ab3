"""Every table, one module per area; rows have columns and constraints and no behaviour."""

from cloudctl.models.audit import AuditEvent, AuditHead
from cloudctl.models.operations import Operation, Resource, Step
from cloudctl.models.people import RoleGrant, Session, Token, User
from cloudctl.models.quota import ANY_SITE, Hold, QuotaRow
from cloudctl.models.requests import Approval, Notice, ServiceRequest
from cloudctl.models.row import Row, UtcDateTime
from cloudctl.models.topology import (
    CatalogueItem,
    Department,
    Division,
    InformationSystem,
    Project,
    Site,
    SiteZone,
    TopologyVersion,
)

__all__ = [
    "ANY_SITE",
    "Approval",
    "AuditEvent",
    "AuditHead",
    "CatalogueItem",
    "Department",
    "Division",
    "Hold",
    "InformationSystem",
    "Notice",
    "Operation",
    "Project",
    "QuotaRow",
    "Resource",
    "RoleGrant",
    "Row",
    "ServiceRequest",
    "Session",
    "Site",
    "SiteZone",
    "Step",
    "Token",
    "TopologyVersion",
    "User",
    "UtcDateTime",
]
