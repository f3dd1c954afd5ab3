"""What people read for ids: names that are no secret from anyone who is signed in."""

from cloudctl.models import CatalogueItem, Department, Division, Site
from cloudctl.store import UnitOfWork


def site_titles(uow: UnitOfWork) -> dict[str, str]:
    """The title of each site by its id."""
    return {row.id: row.title for row in uow.all(Site)}


def catalogue_titles(uow: UnitOfWork) -> dict[str, str]:
    """The title of each flavor, image and volume type by `kind:name`."""
    return {f"{row.kind}:{row.name}": row.title for row in uow.all(CatalogueItem)}


def scope_titles(uow: UnitOfWork) -> dict[str, str]:
    """The name of each division, of its own level, and of each department by its scope."""
    rows = uow.all(Division)
    divisions = {f"division:{row.code}": row.name for row in rows}
    divisions |= {f"own:{row.code}": f"{row.name}本级" for row in rows}
    return divisions | {f"department:{row.id}": row.name for row in uow.all(Department)}
