"""One system as people see it: every field, its projects, its history."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.queries import register as reads
from cloudctl.queries.topology import list_projects
from cloudctl.store import UnitOfWork
from tenants.register.fields import Record
from tenants.register.history import back, changes_of
from tenants.register.records import BLANK, record_of

Json = dict[str, Any]


def show(uow: UnitOfWork, actor: Actor, key: str, as_of: date | None = None) -> Json:
    """The system by code or name with every field of the register, and its projects as they are now.

    As it was at the end of a day when one is named. NotFound when the actor does not see it, or it was not
    there yet.
    """
    shown = reads.show_system(uow, actor, key, as_of)
    fields = {name: None if shown["classified"] else value for name, value in BLANK.items()}
    return {**fields, **shown, "projects": list_projects(uow, actor, system=shown["id"])}


def show_history(uow: UnitOfWork, actor: Actor, key: str) -> list[Json]:
    """Every version of the system, the newest first, each with what it changed.

    The first says in `changes` what the system was registered with.
    """
    versions = reads.list_versions(uow, actor, key)
    if versions and not versions[-1]["changes"]:
        row = reads.find_system(uow, actor, key)
        versions[-1]["changes"] = changes_of(BLANK, _first(record_of(row), versions))
    return versions


def _first(record: Record, versions: Sequence[Json]) -> Record:
    """The record as the first version made it: now, with all later changes taken back."""
    before: dict[str, Any] = {}
    for version in versions[:-1]:
        before |= {name: both[0] for name, both in version["changes"].items()}
    return back(record, before)
