"""Systems that the topology file introduces, changes or retires: their history, and what of them is kept.

The register is the master of systems (docs/adr/0007): once a system has its origin there, the file neither
changes nor retires it. A department that moves takes its systems along, and each gets a version of its own,
so that figures of a past day count it where it was on that day.
"""

from collections.abc import Iterable
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.models import InformationSystem
from cloudctl.queries.register_history import COUNTED
from cloudctl.store import UnitOfWork
from tenants.register.fields import Value
from tenants.register.history import PLACED, Written, begin_versions, changes_of, write_versions
from tenants.register.offices import read_offices
from tenants.register.records import record_of
from tenants.topology.plan import CHANGE, RETIRE, Change

REASON = "topology"
_BACK = {"life_state": "in_use", "stage": "registered"}
_GONE = {"life_state": "retired", "stage": "retired"}


class SystemHistory:
    """What systems were before a plan is applied; `write` makes their versions of what they are after it."""

    def __init__(self, uow: UnitOfWork, changes: Iterable[Change]) -> None:
        made = [change for change in changes if change.kind == "system"]
        self._actions = {change.id: change.action for change in made}
        self._moved = [
            change.id
            for change in changes
            if change.kind == "department" and change.action == CHANGE and "division" in change.differing()
        ]
        rows = uow.all(InformationSystem, InformationSystem.id.in_(list(self._actions)))
        self._before: dict[str, dict[str, Value]] = {row.id: record_of(row) for row in rows}

    def write(self, uow: UnitOfWork, core: Core, actor: Actor) -> None:
        """The versions, in the transaction of the plan; rows are as the plan wants them by now."""
        for code, action in self._actions.items():
            row = uow.need(InformationSystem, code)
            if action == RETIRE:
                row.life_state, row.stage = _GONE["life_state"], _GONE["stage"]
            elif row.stage == _GONE["stage"]:
                row.life_state, row.stage = _BACK["life_state"], _BACK["stage"]
            row.changed_at = core.clock.now()
        uow.flush()
        new = [code for code in self._actions if code not in self._before]
        begin_versions(uow, core.clock, new, actor.user_id, REASON)
        old = uow.all(InformationSystem, InformationSystem.id.in_(list(self._before)))
        written = [Written(_columns(row), changes_of(self._before[row.id], record_of(row))) for row in old]
        along = uow.all(InformationSystem, InformationSystem.department_id.in_(self._moved))
        written += [Written(_columns(row), {}) for row in along if row.id not in self._actions]
        write_versions(uow, core.clock, read_offices(uow), written, actor.user_id, REASON)


def _columns(row: InformationSystem) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", *PLACED, *COUNTED)}
