"""What the register holds already of the systems that a change is about, read in few queries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cloudctl.actors import Actor, Role
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.models import Exemption, InformationSystem, Project, Resource, ServiceRequest
from cloudctl.store import UnitOfWork
from tenants.register.fields import Value
from tenants.register.offices import Offices
from tenants.register.records import COLUMNS, record_from
from tenants.register.rules import Facts
from tenants.topology.retirement import OPEN

_CHUNK = 5000  # codes in one query


class Standing(NamedTuple):
    """A system as it stands: its record, since when it has ended, and who is the master of its row."""

    record: Mapping[str, Value]
    retired_at: datetime | None
    origin: str


def read_standing(uow: UnitOfWork, codes: Iterable[str], *, is_locked: bool) -> dict[str, Standing]:
    """Those of the systems that are there, by code; locked until the end of the transaction when asked."""
    columns = [getattr(InformationSystem, column) for column in COLUMNS.values()]
    more = (InformationSystem.details, InformationSystem.retired_at, InformationSystem.origin)
    found = {}
    for chunk in _chunks(sorted(set(codes))):
        rows = uow.tuples(
            (*columns, *more),
            InformationSystem.id.in_(chunk),
            order_by=[InformationSystem.id],
            is_locked=is_locked,
        )
        for row in rows:
            details, retired_at, origin = row[-3:]
            found[row[0]] = Standing(record_from(row[:-3], details), retired_at, origin)
    return found


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
