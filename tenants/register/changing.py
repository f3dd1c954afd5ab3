"""Changing single systems: fields, creation, merging, splitting, retiring; each with all faults at once."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.store import UnitOfWork
from tenants.register.fields import BY_NAME, Field, Value
from tenants.register.offices import Offices, read_offices
from tenants.register.parsing import Known, known_to, read_value
from tenants.register.records import ENDED
from tenants.register.rules import judge
from tenants.register.standing import Standing, read_facts, read_standing
from tenants.register.writing import Change, Writer

Said = Mapping[str, object]  # field -> text as people write it, or a value
_MOST_REASON = 500


def set_fields(core: Core, actor: Actor, system_id: str, said: Said, reason: str = "") -> None:
    """Set fields of a system, None or "" to clear one; a code that is new makes a system.

    Needs `system.change` at the department, the new one too when it changes. A new system needs name and
    department, or the mark that it is classified. BadInput with all faults; nothing is written then.
    """
    if said.get("code", system_id) != system_id:
        fault = Fault("code", "code_kept", "the code of a system never changes")
        raise BadInput("the system cannot be changed", faults=[fault])
    with core.store.write() as uow:
        change = _Change(core, actor, uow, reason)
        change.apply("set", [{**said, "code": system_id}], is_new_allowed=True)


def merge(core: Core, actor: Actor, system_id: str, into: str, reason: str = "") -> None:
    """The system lives on in another and is counted there only. It must hold nothing on a cloud any more."""
    with core.store.write() as uow:
        change = _Change(core, actor, uow, reason)
        standing = read_standing(uow, [into.lower()], is_locked=False).get(into.lower())
        if standing is not None and standing.record["stage"] in ENDED:
            template = "{into} is no longer in use itself"
            fault = Fault("merged_into", "ended", template, {"into": into}, "name the one that is")
            raise BadInput("the system cannot be merged", faults=[fault])
        change.apply("merge", [{"code": system_id, "merged_into": into}])


def retire(core: Core, actor: Actor, system_id: str, reason: str = "") -> None:
    """The system is taken out of use. It must hold nothing on a cloud any more."""
    with core.store.write() as uow:
        _Change(core, actor, uow, reason).apply("retire", [{"code": system_id, "life_state": "retired"}])


def split(core: Core, actor: Actor, system_id: str, parts: Mapping[str, str], reason: str = "") -> None:
    """New systems, names by code, come out of one that stays; owner and place are its own at first."""
    with core.store.write() as uow:
        change = _Change(core, actor, uow, reason)
        whole = change.standing([system_id]).get(system_id)
        if whole is None:
            raise NotFound("{what} '{key}' does not exist", what="system", key=system_id)
        taken = {name: whole.record[name] for name in ("department", "division", "level", "category", "zone")}
        rows = [
            {**taken, "code": code, "name": name, "split_from": system_id} for code, name in parts.items()
        ]
        if any(code in change.standing(list(parts)) for code in parts):
            fault = Fault("code", "exists", "there is a system of this code already")
            raise BadInput("the system cannot be split", faults=[fault])
        change.apply("split", rows, is_new_allowed=True)


class _Change:
    """One change of few systems, in one transaction."""

    def __init__(self, core: Core, actor: Actor, uow: UnitOfWork, reason: str) -> None:
        if len(reason) > _MOST_REASON:
            params = {"most": _MOST_REASON}
            fault = Fault("reason", "too_long", "has at most {most} characters", params)
            raise BadInput("the system cannot be changed", faults=[fault])
        self._core, self._actor, self._uow, self._reason = core, actor, uow, reason.strip()
        self._offices: Offices = read_offices(uow)

    def standing(self, codes: Sequence[str]) -> dict[str, Standing]:
        """What stands of these systems, locked."""
        return read_standing(self._uow, codes, is_locked=True)

    def apply(self, action: str, rows: Sequence[Said], *, is_new_allowed: bool = False) -> None:
        """Read, judge and write what is said of each system, or nothing of it."""
        read = [_read(row, known_to(self._offices)) for row in rows]
        given, faults = [one for one, _ in read], [fault for _, found in read for fault in found]
        standing = self.standing([str(one["code"]) for one in given if one.get("code")])
        facts = read_facts(self._uow, self._core, self._actor, self._offices, given)
        changes = []
        for one in given:
            before = standing.get(str(one.get("code")))
            if before is None and not is_new_allowed:
                raise NotFound("{what} '{key}' does not exist", what="system", key=str(one.get("code")))
            if before is not None:
                self._must(before.record["department"])
            judged = judge(before.record if before else None, one, facts)
            self._must(judged.record["department"])
            read_wrong = {fault.place for fault in faults}
            faults += [fault for fault in judged.faults if fault.place not in read_wrong]
            changes.append(Change(before, judged))
        if faults:
            raise BadInput("the system cannot be changed", faults=faults)
        reason = f"{action}: {self._reason}" if self._reason else action
        Writer(self._core, self._actor, self._offices, reason).write(self._uow, changes)
        for change, one in zip(changes, given, strict=True):
            if not change.judged.is_same or change.judged.asks is not None:
                self._record(action, change, one)

    def _must(self, department: Value) -> None:
        if department in self._offices.departments:
            self._actor.must("system.change", self._offices.path(str(department)))
        elif not self._actor.scopes("system.change"):
            self._actor.must("system.change")

    def _record(self, action: str, change: Change, given: Mapping[str, Value]) -> None:
        """The event names the fields and never what is in them: that is history's, which can forget it."""
        is_new = change.standing is None and action == "set"
        details = {"fields": sorted(given.keys() - {"code"}), "reason": self._reason}
        self._core.audit.record(
            self._uow,
            self._actor.user_id,
            f"system.{'create' if is_new else action}",
            "information_system",
            change.judged.record["code"],
            details,
            self._actor.trace_id,
        )


def _read(said: Said, known: Known) -> tuple[dict[str, Value], list[Fault]]:
    """The values of what is said, and what of it cannot be meant."""
    given: dict[str, Value] = {}
    faults = []
    for word, value in said.items():
        field = _TITLES.get(word) or BY_NAME.get(word)
        if field is None:
            faults.append(_unknown(word))
            continue
        found = _value(field, value, known)
        if isinstance(found, Fault):
            faults.append(replace(found, place=field.name))
        else:
            given[field.name] = found
    return given, faults


def _value(field: Field, value: object, known: Known) -> Value | Fault:
    if value is None:
        return None
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, str | int | float | date):
        return read_value(field, value, known)
    return Fault("", "bad_value", "must be a text or a number")


def _unknown(word: str) -> Fault:
    close = difflib.get_close_matches(word, [*BY_NAME, *_TITLES], 1, cutoff=0.5)
    params = {"word": word[:40], "close": close[0] if close else None}
    hint = "did you mean '{close}'?" if close else None
    return Fault(word[:40], "unknown_field", "no field of the register is called '{word}'", params, hint)


_TITLES: Mapping[str, Field] = {
    word: field for field in BY_NAME.values() for word in (field.title, *field.also)
}
