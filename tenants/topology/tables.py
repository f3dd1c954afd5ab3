"""Which table holds which kind of object: from a row to the words of the file and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.models import CatalogueItem, Department, Division, InformationSystem, Site, SiteZone

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A kind of object and its rows; `columns` names the column of each attribute."""

    model: Any
    columns: Mapping[str, str]
    id_of: Callable[[Any], str]
    keys: Callable[[str], dict[str, Any]]  # the columns that an id fixes
    spec: bool = False  # attributes without a column of their own lie in `spec`
    fixed: Mapping[str, Any] | None = None  # only rows with these values are of the kind

    def attributes(self, row: Any) -> Attributes:
        """What the file would say of this row."""
        found = {name: getattr(row, column) for name, column in self.columns.items()}
        return {**found, **row.spec} if self.spec else found

    def values(self, attributes: Attributes) -> dict[str, Any]:
        """The columns that make a row say this."""
        values = {column: attributes.get(name) for name, column in self.columns.items()}
        if self.spec:
            values["spec"] = {key: value for key, value in attributes.items() if key not in self.columns}
        return values

    def conditions(self, id_: str | None = None) -> list[Any]:
        """Conditions that select the row of an id, or all rows of the kind."""
        wanted = {**(self.fixed or {}), **(self.keys(id_) if id_ is not None else {})}
        return [getattr(self.model, column) == value for column, value in wanted.items()]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _by(column: str) -> tuple[Callable[[Any], str], Callable[[str], dict[str, Any]]]:
    return (lambda row: str(getattr(row, column))), (lambda id_: {column: id_})


def _zone_keys(id_: str) -> dict[str, Any]:
    site, _, zone = id_.rpartition("/")
    return {"site_id": site, "zone": zone}


def _catalogue(kind: str) -> Table:
    return Table(
        CatalogueItem,
        _same("title", "site_names"),
        lambda row: str(row.name),
        lambda id_: {"name": id_, "kind": kind},
        spec=True,
        fixed={"kind": kind},
    )


TABLES: dict[str, Table] = {
    "division": Table(
        Division, {**_same("name", "level", "served_by"), "parent": "parent_code"}, *_by("code")
    ),
    "site": Table(
        Site,
        {
            **_same("title", "role", "cloud", "domain_policy", "mode", "slots", "guests"),
            "division": "division_code",
            "domain": "domain_name",
        },
        *_by("id"),
    ),
    "zone": Table(
        SiteZone,
        _same("network", "ipv4", "ipv6"),
        lambda row: f"{row.site_id}/{row.zone}",
        _zone_keys,
    ),
    "flavor": _catalogue("flavor"),
    "image": _catalogue("image"),
    "volume_type": _catalogue("volume_type"),
    "department": Table(Department, {**_same("name", "kind"), "division": "division_code"}, *_by("id")),
    "system": Table(
        InformationSystem,
        {
            **_same("name", "mlps_level", "category"),
            "department": "department_id",
            "key_application": "is_key_application",
            "key_data": "has_key_data",
            "classified": "is_classified",
        },
        *_by("id"),
        fixed={"origin": "topology"},  # what the register has is the register's
    ),
}
