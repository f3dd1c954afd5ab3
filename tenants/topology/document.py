"""The topology file as strict frozen models: what may be written, of which type. No rule across objects."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST = 1_000_000_000  # two of them still fit a counter's column

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Title = Annotated[str, Field(max_length=200, pattern=r"^\S(.*\S)?$")]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}([0-9]{3})?$")]
Amount = Annotated[int, Field(ge=0, le=MOST)]
Count = Annotated[int, Field(ge=1, le=MOST)]


SiteRole = Literal["province", "city"]
Mode = Literal["managed", "observe"]
DomainPolicy = Literal["per-department", "single"]
Guests = Literal["none", "managed", "required"]
ZoneName = Literal["public", "dedicated", "internet"]  # 公用网络区, 专用网络区, 互联网接入区
Level = Literal["province", "city", "county", "township"]
RequestKind = Literal["project", "vm", "volume", "backup", "release"]
AmountKind = Literal["instances", "vcpus", "ram_mib", "volumes", "volume_gib", "ports"]
ApproverRole = Literal["department_approver", "division_reviewer", "cloud_admin", "province_admin"]
ApprovedAt = Literal["department", "township", "county", "city", "province", "site", "installation"]
DepartmentKind = Literal["党委", "人大", "政府", "政协", "监委", "法院", "检察院", "群团", "事业单位", "国企"]


class Part(BaseModel):
    """A part of the document: unknown keys are faults, nothing is converted, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ZoneMap(Part):
    """A zone of the province's model on one site's network."""

    network: Title
    ipv4: str | None = None
    ipv6: str | None = None


class SiteEntry(Part):
    """One OpenStack cloud: whose it is, how its projects are laid out, its zones."""

    name: Name
    title: Title
    role: SiteRole
    cloud: Title
    division: Code
    domain_policy: DomainPolicy = "per-department"
    domain: Title | None = None
    mode: Mode = "managed"
    slots: Annotated[int, Field(ge=1, le=64)] = 8
    guests: Guests = "none"  # managed: a build brings servers to their baseline; required: or it fails
    zones: dict[ZoneName, ZoneMap]


class DivisionEntry(Part):
    """Level and parent follow from the code; `served_by` is inherited from above when absent."""

    code: Code
    name: Title
    served_by: list[str] | None = None


class Flavor(Part):
    """A size of server; `site_names` says what sites call it that call it otherwise."""

    name: Name
    title: Title
    vcpus: Annotated[int, Field(ge=1, le=1024)]
    ram_mib: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)]
    site_names: dict[str, Title] = Field(default_factory=dict)


class Image(Part):
    """A system to boot from, and who logs in to it."""

    name: Name
    title: Title
    login: Name
    min_disk_gib: Annotated[int, Field(ge=1, le=65536)]
    site_names: dict[str, Title] = Field(default_factory=dict)


class VolumeType(Part):
    """A kind of volume."""

    name: Name
    title: Title
    site_names: dict[str, Title] = Field(default_factory=dict)


class Catalogue(Part):
    """What is on offer, under one name in the whole province."""

    flavors: list[Flavor]
    images: list[Image]
    volume_types: list[VolumeType]


class DepartmentEntry(Part):
    """An organisation that owns systems and asks for resources."""

    code: Name
    name: Title
    kind: DepartmentKind
    division: Code


class SystemEntry(Part):
    """A government information system."""

    code: Name
    name: Title
    department: str
    mlps_level: Annotated[int, Field(ge=1, le=5)] = 2
    category: Title | None = None
    key_application: bool = False
    key_data: bool = False
    classified: bool = False


Amounts = dict[AmountKind, Amount]


class QuotaEntry(Part):
    """Limits and guarantees of one scope at one site, or at `*` over all sites."""

    scope: str
    site: str = "*"
    limits: Amounts = Field(default_factory=dict)
    guarantees: Amounts = Field(default_factory=dict)


class When(Part):
    """Everything named must hold."""

    kinds: list[RequestKind] = Field(default_factory=list)
    sites: list[str] = Field(default_factory=list)
    zones: list[ZoneName] = Field(default_factory=list)
    department_levels: list[Level] = Field(default_factory=list)
    over: Amounts = Field(default_factory=dict)


def _alone(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Stage(Part):
    """One approval stage; `when` is a condition or a list of which any one is enough."""

    name: Name
    title: Title
    role: ApproverRole
    at: ApprovedAt
    when: Annotated[list[When], BeforeValidator(_alone)] = Field(default_factory=list)


class Topology(Part):
    """The whole file. Every section must be there: one forgotten would retire all it names."""

    version: Literal[1]
    sites: list[SiteEntry]
    divisions: list[DivisionEntry]
    catalogue: Catalogue
    departments: list[DepartmentEntry]
    systems: list[SystemEntry]
    quotas: list[QuotaEntry]
    approvals: list[Stage]

    def as_document(self) -> dict[str, object]:
        """The file as plain data: what is stored, sent and hashed."""
        return self.model_dump(mode="json")
