"""Writing judged changes: rows, versions, what follows a new department, and the exemptions asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from cloudctl import notices
from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.core import Core
from cloudctl.models import Exemption, InformationSystem, Project, Resource
from cloudctl.queries import requests as people
from cloudctl.store import UnitOfWork
from tenants.recount import recount
from tenants.register.encoding import encoded_details
from tenants.register.fields import Record, Value
from tenants.register.history import Written, begin_versions, changes_of, ended_at, write_versions
from tenants.register.offices import Offices
from tenants.register.records import COLUMNS, has_decision
from tenants.register.rules import Judged
from tenants.register.standing import Standing

_columns = itemgetter(*COLUMNS)
REGISTER = "register"  # the origin of what the topology file no longer changes
_NAMES = (*COLUMNS.values(), "has_decision", "details", "origin", "changed_at", "retired_at")


class Change(NamedTuple):
    """A system as it stands, None for a new one, and what was judged of it."""

    standing: Standing | None
    judged: Judged


@dataclass(frozen=True)
class Writer:
    """Who writes, why, and where offices are."""

    core: Core
    actor: Actor
    offices: Offices
    reason: str

    def write(self, uow: UnitOfWork, changes: Sequence[Change]) -> int:
        """Write all of them, in the caller's transaction; how many exemptions were asked for.

        A system whose record stays the same is only claimed for the register, and gets no version.
        """
        now = self.core.clock.now()
        created = [one for one in changes if one.standing is None]
        updated = [one for one in changes if one.standing is not None and not one.judged.is_same]
        claimed = [one for one in changes if one.standing is not None and one.standing.origin != REGISTER]
        new, old = _rows(created, now), _rows(updated, now)
        uow.insert_many(InformationSystem, _NAMES, new)
        uow.update_many(InformationSystem, _NAMES, old)
        origins = [(one.judged.record["code"], REGISTER) for one in claimed]
        uow.update_many(InformationSystem, ("id", "origin"), origins)
        by, why = self.actor.user_id, self.reason
        begin_versions(uow, self.core.clock, [row[0] for row in new], by, why)
        written = [_written(one, row) for one, row in zip(updated, old, strict=True)]
        write_versions(uow, self.core.clock, self.offices, written, by, why)
        _follow(uow, updated)
        return self._ask(uow, [one.judged for one in changes if one.judged.asks is not None])

    def _ask(self, uow: UnitOfWork, asking: Sequence[Judged]) -> int:
        """Ask for exemptions; whoever may decide is told of each, the one who asks never."""
        if not asking:
            return 0
        deciders = people.people_for(uow, Role.PROVINCE_ADMIN, INSTALLATION, but=[self.actor.user_id])
        template = "{who} asks that {system_name} need not move until {day}"
        for one in asking:
            assert one.asks is not None
            row = uow.add(_exemption(one.record, one.asks, self))
            params = {"who": self.actor.name, "system_name": one.record["name"], "day": row.until.isoformat()}
            ids = [person.id for person in deciders]
            subject = ("exemption", row.id)
            notices.tell(uow, self.core.clock, ids, template, params, subject, needs_action=True)
        return len(asking)


def _rows(changes: Sequence[Change], now: datetime) -> list[tuple[Any, ...]]:
    """The rows that keep the records, their columns in the order of _NAMES."""
    rows = []
    for (standing, judged), details in zip(
        changes, encoded_details([one.judged.record for one in changes]), strict=True
    ):
        record = judged.record
        ended = ended_at(record, standing.retired_at if standing is not None else None, now)
        rows.append((*_columns(record), has_decision(record), details, REGISTER, now, ended))
    return rows


def _written(change: Change, row: tuple[Any, ...]) -> Written:
    assert change.standing is not None
    changes = changes_of(change.standing.record, change.judged.record)
    return Written(dict(zip(_NAMES, row, strict=True)), changes)


def _follow(uow: UnitOfWork, updated: Sequence[Change]) -> None:
    """Projects and resources go with their system to its new department; the ledger is counted anew then."""
    has_moved = False
    for standing, judged in updated:
        code, owner = judged.record["code"], judged.record["department"]
        if standing is not None and standing.record["department"] != owner:
            moved = uow.update(Project, Project.system_id == code, department_id=owner)
            moved += uow.update(Resource, Resource.system_id == code, department_id=owner)
            has_moved = has_moved or moved > 0
    if has_moved:
        recount(uow)


def _exemption(record: Record, asks: Mapping[str, Value], writer: Writer) -> Exemption:
    return Exemption(
        system_id=record["code"],
        state="asked",
        clause=asks["exempt_clause"],
        document=asks["exempt_document"],
        until=asks["exempt_until"],
        reason=writer.reason,
        asked_by=writer.actor.user_id,
        asked_at=writer.core.clock.now(),
    )
