"""Writing judged changes: rows, versions, what follows a new department, and the exemptions asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from cloudctl import notices
from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.core import Core
from cloudctl.models import Exemption, InformationSystem, Project, Resource
from cloudctl.queries import requests as people
from cloudctl.store import UnitOfWork
from tenants.recount import recount
from tenants.register.fields import Record, Value
from tenants.register.history import Written, begin_versions, changes_of, write_versions
from tenants.register.offices import Offices
from tenants.register.records import DECISION, ENDED, REGISTER
from tenants.register.rules import Judged
from tenants.register.standing import Standing
from tenants.register.stored import NAMES, Table, stored_rows, table_of

_NAMES = (*NAMES, "has_decision", "origin", "changed_at", "retired_at")


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

    def write(self, uow: UnitOfWork, changes: Sequence[Change], fresh: Table | None = None) -> None:
        """Write all of them, and `fresh` new systems as they are, in the caller's transaction.

        A system whose record stays the same is only claimed for the register, and gets no version.
        """
        created = [one for one in changes if one.standing is None]
        updated = [one for one in changes if one.standing is not None and not one.judged.is_same]
        claimed = [one for one in changes if one.standing is not None and one.standing.origin != REGISTER]
        new = self._rows(table_of([one.judged.record for one in created]))
        new += self._rows(fresh) if fresh is not None else []
        was = [one.standing.retired_at if one.standing is not None else None for one in updated]
        old = self._rows(table_of([one.judged.record for one in updated]), was)
        uow.insert_many(InformationSystem, _NAMES, new)
        uow.update_many(InformationSystem, _NAMES, old)
        origins = [(one.judged.record["code"], REGISTER) for one in claimed]
        uow.update_many(InformationSystem, ("id", "origin"), origins)
        by, why = self.actor.user_id, self.reason
        begin_versions(uow, self.core.clock, [row[0] for row in new], by, why)
        written = [_written(one, row) for one, row in zip(updated, old, strict=True)]
        write_versions(uow, self.core.clock, self.offices, written, by, why)
        _follow(uow, updated)
        self._ask(uow, [one.judged for one in changes if one.judged.asks is not None])

    def _rows(self, table: Table, was: Sequence[datetime | None] | None = None) -> list[tuple[Any, ...]]:
        """The rows that keep the records, their columns in the order of _NAMES; `was` is when they ended."""
        now = self.core.clock.now()
        decided = [None not in one for one in zip(*(table[name] for name in DECISION), strict=True)]
        since = was if was is not None else [None] * len(decided)
        ended = [
            (at or now) if life in ENDED else None
            for life, at in zip(table["life_state"], since, strict=True)
        ]
        return [
            (*values, is_decided, REGISTER, now, end)
            for values, is_decided, end in zip(stored_rows(table), decided, ended, strict=True)
        ]

    def _ask(self, uow: UnitOfWork, asking: Sequence[Judged]) -> None:
        """Ask for exemptions; whoever may decide is told of each, the one who asks never."""
        if not asking:
            return
        deciders = people.people_for(uow, Role.PROVINCE_ADMIN, INSTALLATION, but=[self.actor.user_id])
        template = "{who} asks that {system_name} need not move until {day}"
        for one in asking:
            assert one.asks is not None
            row = uow.add(_exemption(one.record, one.asks, self))
            params = {"who": self.actor.name, "system_name": one.record["name"], "day": row.until.isoformat()}
            ids = [person.id for person in deciders]
            subject = ("exemption", row.id)
            notices.tell(uow, self.core.clock, ids, template, params, subject, needs_action=True)


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
