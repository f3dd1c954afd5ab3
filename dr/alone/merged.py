"""What the home has merged of each site, for the site to see."""

from cloudctl.models import AloneMerge
from cloudctl.store import UnitOfWork


def newest_merged(uow: UnitOfWork) -> dict[str, str]:
    """Site to the hash of the rows that were merged last."""
    return {one.site_id: one.tables_sha256 for one in uow.all(AloneMerge, order_by=[AloneMerge.id])}
