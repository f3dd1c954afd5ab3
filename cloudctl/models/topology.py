"""Tables of the 1+N: sites, divisions, zones, the catalogue, departments, projects.

Rows that come from the topology file carry `retired_at` instead of being deleted: history points at them.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row


class Site(Row):
    """One OpenStack cloud of the 1+N."""

    __tablename__ = "site"
    id: Mapped[str] = mapped_column(primary_key=True)  # its name in the topology: province, city-1
    title: Mapped[str]  # what people read: 省级政务云
    role: Mapped[str]  # province (exactly one) or city
    cloud: Mapped[str]  # entry of clouds.yaml
    division_code: Mapped[str]  # whose cloud it is
    domain_policy: Mapped[str] = mapped_column(default="per-department")  # or: single
    domain_name: Mapped[str | None]  # the domain of `single`
    mode: Mapped[str] = mapped_column(default="managed")  # or: observe
    slots: Mapped[int] = mapped_column(default=8)  # calls to this cloud side by side
    guests: Mapped[str] = mapped_column(default="none")  # what a build does inside servers: managed, required
    state: Mapped[str] = mapped_column(default="unknown")  # unknown, ok, degraded, unreachable
    checked_at: Mapped[datetime | None]
    check: Mapped[JsonDict] = mapped_column(default=dict)  # what the last `site check` found
    capacity: Mapped[JsonDict | None]  # kind -> total, used, as the site told it; null: it never has
    capacity_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]  # when its running servers are looked at again
    retired_at: Mapped[datetime | None]


class Division(Row):
    """An administrative division with its GB/T 2260 code."""

    __tablename__ = "division"
    code: Mapped[str] = mapped_column(primary_key=True)  # six digits; nine for a township
    name: Mapped[str]
    level: Mapped[str]  # province, city, county, township
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("division.code"), index=True)
    served_by: Mapped[JsonList] = mapped_column(default=list)  # site ids, the default one first; resolved
    retired_at: Mapped[datetime | None]


class SiteZone(Row):
    """A network zone of the province's model, mapped onto one site's network."""

    __tablename__ = "site_zone"
    __table_args__ = (UniqueConstraint("site_id", "zone"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    zone: Mapped[str]  # public, dedicated, internet
    network: Mapped[str]  # name or id of the network at the site
    ipv4: Mapped[str | None]
    ipv6: Mapped[str | None]
    retired_at: Mapped[datetime | None]


class CatalogueItem(Row):
    """A flavor, image or volume type on offer, with its name at each site."""

    __tablename__ = "catalogue_item"
    __table_args__ = (UniqueConstraint("kind", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # flavor, image, volume_type
    name: Mapped[str]
    title: Mapped[str]
    spec: Mapped[JsonDict] = mapped_column(default=dict)  # vcpus, ram_mib | login, min_disk_gib | -
    site_names: Mapped[JsonDict] = mapped_column(default=dict)  # site id -> name there
    retired_at: Mapped[datetime | None]


class Department(Row):
    """An organisation that owns systems and asks for resources."""

    __tablename__ = "department"
    id: Mapped[str] = mapped_column(primary_key=True)  # its stable code, never reused: gx-finance
    name: Mapped[str]
    kind: Mapped[str]  # 党委, 人大, 政府, 政协, 法院, 检察院, 群团, 事业单位, 国企
    division_code: Mapped[str] = mapped_column(ForeignKey("division.code"), index=True)
    retired_at: Mapped[datetime | None]


class Project(Row):
    """The OpenStack project of one system and environment at one site, bound by its id there."""

    __tablename__ = "project"
    __table_args__ = (
        UniqueConstraint("system_id", "environment", "site_id"),
        UniqueConstraint("site_id", "external_id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]  # deterministic; a label only, never what binds
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("department.id"), index=True)
    environment: Mapped[str] = mapped_column(default="prod")  # prod, test, dev
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    external_id: Mapped[str | None]  # null until made: state planned
    external_domain_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="planned")  # planned, active, retired
    origin: Mapped[str] = mapped_column(default="made")  # made, adopted
    quota_pushed: Mapped[JsonDict] = mapped_column(default=dict)  # what the site last read back
    quota_pushed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class TopologyVersion(Row):
    """A topology file that was applied, whole: what a plan is made against."""

    __tablename__ = "topology_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    document: Mapped[JsonDict]  # the checked file as data
    applied_at: Mapped[datetime]
    applied_by: Mapped[str]
