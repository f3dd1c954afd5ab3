"""What the register holds already of the systems that a change is about, read in few queries."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cloudctl.actors import Actor, Role
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.models import Exemption, InformationSystem, Project, Resource, ServiceRequest
from cloudctl.queries.register_history import stored_systems
from cloudctl.store import UnitOfWork
from tenants.register.fields import Value
from tenants.register.objections import Facts
from tenants.register.offices import Offices
from tenants.register.records import COLUMNS, record_from
from tenants.topology.retirement import OPEN

_CHUNK = 5000  # codes in one query


class Stored(NamedTuple):
    """The row of a system: its columns and details as `stored_rows` makes them, its end, and its master."""

    values: tuple[Any, ...]
    retired_at: datetime | None
    origin: str


class Standing(NamedTuple):
    """A system as it stands: its record, since when it has ended, and who is the master of its row."""

    record: Mapping[str, Value]
    retired_at: datetime | None
    origin: str

    @classmethod
    def of(cls, stored: Stored) -> "Standing":
        """What a row says."""
        record = record_from(stored.values[:-1], json.loads(stored.values[-1]))
        return cls(record, stored.retired_at, stored.origin)


def read_stored(uow: UnitOfWork, codes: Iterable[str], *, is_locked: bool) -> dict[str, Stored]:
    """The rows of those systems that are there, by code; locked until the transaction ends when asked."""
    rows = stored_systems(uow, tuple(COLUMNS.values()), sorted(set(codes)), is_locked=is_locked)
    return {row[0]: Stored(row[:-2], row[-2], row[-1]) for row in rows}


def read_standing(uow: UnitOfWork, codes: Iterable[str], *, is_locked: bool) -> dict[str, Standing]:
    """The same as records."""
    return {code: Standing.of(one) for code, one in read_stored(uow, codes, is_locked=is_locked).items()}


def read_facts(
    uow: UnitOfWork, core: Core, actor: Actor, offices: Offices, given: Sequence[Mapping[str, Value]]
) -> Facts:
    """What the rules have to know to judge these changes, all of one transaction."""
    here = {str(one["code"]) for one in given if one.get("code")}
    named = {str(one[key]) for one in given for key in ("merged_into", "split_from") if one.get(key)}
    there = {
        code
        for chunk in _chunks(sorted(named - here))
        for code in uow.column(InformationSystem.id, InformationSystem.id.in_(chunk))
    }
    merged: dict[str, str | None] = {}
    if named:
        pairs = (InformationSystem.id, InformationSystem.merged_into_id)
        merged = dict(uow.tuples(pairs, InformationSystem.merged_into_id.is_not(None)))
        for one in given:
            if one.get("code") and "merged_into" in one:
                merged[str(one["code"])] = str(one["merged_into"]) if one["merged_into"] else None
    asking = set(uow.column(ServiceRequest.system_id, ServiceRequest.state.in_(OPEN)))
    return Facts(
        today=local_day(core.clock.now()),
        offices=offices,
        exists=(here | there).__contains__,
        into=merged.get,
        holding=asking | _holding(uow),
        asking=asking,
        exemptions=_exemptions(
            uow, [str(one["code"]) for one in given if one.get("stage") == "exempt" and one.get("code")]
        ),
        is_province_admin=actor.has(Role.PROVINCE_ADMIN, ()),
    )


def _holding(uow: UnitOfWork) -> set[Any]:
    """Systems with a project or a resource that is still there."""
    projects = uow.column(Project.system_id, Project.state != "retired")
    return {*projects, *uow.column(Resource.system_id, Resource.ended_at.is_(None))}


def _exemptions(uow: UnitOfWork, codes: Sequence[str]) -> dict[str, list[tuple[Value, ...]]]:
    """State, clause, document and last day of everything that was asked before for these systems."""
    columns = (Exemption.system_id, Exemption.state, Exemption.clause, Exemption.document, Exemption.until)
    found: dict[str, list[tuple[Value, ...]]] = {}
    for chunk in _chunks(codes):
        for code, *asked in uow.tuples(columns, Exemption.system_id.in_(chunk)):
            found.setdefault(code, []).append(tuple(asked))
    return found


def _chunks(codes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (codes[start : start + _CHUNK] for start in range(0, len(codes), _CHUNK))
