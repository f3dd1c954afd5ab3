"""The topology as rows hold it and as a file wants it, in one form that can be compared and hashed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudctl.models import InformationSystem, Project, QuotaRow, TopologyVersion
from cloudctl.store import UnitOfWork
from tenants.register.fields import CLASSIFIED_NAME
from tenants.topology.codes import level_of, parent_of, resolve, scope_of
from tenants.topology.document import Topology
from tenants.topology.tables import TABLES, Attributes

# In the order in which they are made; retired in the opposite order.
KINDS = (
    "division",
    "site",
    "zone",
    "flavor",
    "image",
    "volume_type",
    "department",
    "system",
    "quota",
    "approval",
)


@dataclass(frozen=True)
class State:
    """Every object by kind and id, and which ids were retired before."""

    objects: Mapping[str, Mapping[str, Attributes]]
    retired: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, Attributes]:
        return self.objects.get(kind, {})

    def without_systems(self, ids: frozenset[str]) -> "State":
        """The same without these systems."""
        systems = {code: one for code, one in self.of("system").items() if code not in ids}
        return State({**self.objects, "system": systems}, self.retired)


def canonical(value: object) -> str:
    """JSON in one form, for hashing and comparing."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(value: object) -> str:
    """SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def fingerprint(state: State, kept: frozenset[str] = frozenset()) -> str:
    """What a plan is bound to: changes with any row that a plan could be about, and with what is kept out."""
    retired = {kind: sorted(ids) for kind, ids in state.retired.items() if ids}
    seen = {"objects": {kind: dict(state.of(kind)) for kind in KINDS}, "retired": retired}
    return digest({**seen, "kept": sorted(kept)} if kept else seen)


# -- as the file wants it


def wanted(topology: Topology) -> State:
    """The state that the file describes."""
    document: Any = topology.as_document()
    served_by = resolve({one.code: one.served_by for one in topology.divisions})
    objects: dict[str, dict[str, Attributes]] = {kind: {} for kind in KINDS}
    for site in document["sites"]:
        site.pop("zones")
        objects["site"][site.pop("name")] = site
    for entry in topology.sites:
        for zone, mapped in entry.zones.items():
            objects["zone"][f"{entry.name}/{zone}"] = mapped.model_dump()
    for division in topology.divisions:
        objects["division"][division.code] = {
            "name": division.name,
            "level": level_of(division.code),
            "parent": parent_of(division.code),
            "served_by": served_by[division.code],
        }
    for kind, section in (("flavor", "flavors"), ("image", "images"), ("volume_type", "volume_types")):
        objects[kind] = {item.pop("name"): item for item in document["catalogue"][section]}
    objects["department"] = {one.pop("code"): one for one in document["departments"]}
    objects["system"] = {one.pop("code"): _without_content(one) for one in document["systems"]}
    objects["quota"] = _quotas(
        (entry.scope, entry.site, kind, entry.limits.get(kind), entry.guarantees.get(kind, 0))
        for entry in topology.quotas
        for kind in {*entry.limits, *entry.guarantees}
    )
    objects["approval"] = _stages(document["approvals"])
    return State(objects)


def _without_content(system: Attributes) -> Attributes:
    """A system as its row keeps it: of a classified one only whose it is."""
    if not system["classified"]:
        return system
    empty = {"name": CLASSIFIED_NAME, "mlps_level": 2, "category": None}
    return {**system, **empty, "key_application": False, "key_data": False}


# -- as the rows have it


def current(uow: UnitOfWork) -> State:
    """The state that the rows hold now."""
    objects: dict[str, dict[str, Attributes]] = {kind: {} for kind in KINDS}
    retired: dict[str, frozenset[str]] = {}
    for kind, table in TABLES.items():
        rows = uow.all(table.model, *table.conditions())
        objects[kind] = {table.id_of(row): table.attributes(row) for row in rows if row.retired_at is None}
        retired[kind] = frozenset(table.id_of(row) for row in rows if row.retired_at is not None)
    scopes = {project.id: project_scope(project) for project in uow.all(Project)}
    limited = uow.all(QuotaRow, (QuotaRow.limit.is_not(None)) | (QuotaRow.guarantee > 0))
    objects["quota"] = _quotas(
        (
            scopes.get(row.scope_id) or f"{row.scope_kind}:{row.scope_id}",
            row.site,
            row.kind,
            row.limit,
            row.guarantee,
        )
        for row in limited
    )
    newest = uow.first(TopologyVersion, order_by=[TopologyVersion.id.desc()])
    objects["approval"] = _stages(newest.document["approvals"]) if newest else {}
    return State(objects, retired)


def of_register(uow: UnitOfWork, wanted: State) -> frozenset[str]:
    """Those of the file's systems that the register is the master of by now."""
    mastered = uow.column(InformationSystem.id, InformationSystem.origin != "topology")
    return frozenset(mastered) & wanted.of("system").keys()


def project_scope(project: Project) -> str:
    """How the file names the project."""
    return f"project:{project.system_id}/{project.environment}@{project.site_id}"


def quota_key(uow: UnitOfWork, scope: str) -> tuple[str, str]:
    """Kind and id that the ledger knows the scope by; a project that is not made yet is its own words."""
    parsed = scope_of(scope)
    assert parsed is not None, scope
    if parsed.kind != "project":
        return parsed.kind, parsed.id
    made = uow.first(
        Project,
        Project.system_id == parsed.id,
        Project.environment == parsed.environment,
        Project.site_id == parsed.site,
    )
    return "project", made.id if made else scope.removeprefix("project:")


# -- what both share


def _quotas(cells: Iterable[tuple[str, str, str, int | None, int]]) -> dict[str, Attributes]:
    found: dict[str, Attributes] = {}
    for scope, site, kind, limit, guarantee in cells:
        if limit is None and not guarantee:
            continue
        entry = found.setdefault(
            f"{scope} {site}", {"scope": scope, "site": site, "limits": {}, "guarantees": {}}
        )
        if limit is not None:
            entry["limits"][kind] = limit
        if guarantee:
            entry["guarantees"][kind] = guarantee
    return found


def _stages(stages: Iterable[Mapping[str, Any]]) -> dict[str, Attributes]:
    found: dict[str, Attributes] = {}
    for order, stage in enumerate(stages, 1):
        found[stage["name"]] = {"order": order, **{key: stage[key] for key in stage if key != "name"}}
    return found
