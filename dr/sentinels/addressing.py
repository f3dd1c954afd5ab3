"""Where sentinels go now: a server of the plan that a URL names is called at the site where its system runs.

A name of the name service, or an address, stays as it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from cloudctl.models import Resource
from cloudctl.store import UnitOfWork
from dr.plans.document import Document, Sentinels
from dr.plans.known import bare

SERVER = "server"


def aimed(wanted: Sentinels, addresses: Mapping[str, str]) -> Sentinels:
    """The same with the address of each server that its URLs name; `addresses` by the plan's names. Pure."""
    return replace(
        wanted, write_url=_at(wanted.write_url, addresses), read_url=_at(wanted.read_url, addresses)
    )


def addresses_at(uow: UnitOfWork, document: Document, site_id: str) -> dict[str, str]:
    """The address of each server of the plan at a site, by the name that the plan gives it; IPv4 first.

    A server that a move or a restore made there has another name in front of which is the one it had.
    """
    here = (
        Resource.kind == SERVER,
        Resource.site_id == site_id,
        Resource.system_id == document.system,
        Resource.ended_at.is_(None),
    )
    newest = {bare(row.name): row for row in uow.all(Resource, *here, order_by=[Resource.created_at])}
    labels = {str((row.spec or {}).get("label")): row for row in newest.values()}
    found: dict[str, str] = {}
    for name in (name for part in document.parts for name in part.servers):
        row = newest.get(bare(name)) or labels.get(name)
        told = (row.addresses or {}) if row is not None else {}
        for address in (*told.get("ipv4", ()), *told.get("ipv6", ())):
            found.setdefault(name, str(address))
    return found


def _at(url: str, addresses: Mapping[str, str]) -> str:
    split = urlsplit(url)
    lower = {name.lower(): address for name, address in addresses.items()}
    address = lower.get(split.hostname or "")
    if address is None:
        return url
    host = f"[{address}]" if ":" in address else address
    return urlunsplit(split._replace(netloc=host if split.port is None else f"{host}:{split.port}"))
