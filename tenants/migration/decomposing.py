"""A target decomposed (分解): to cities, counties and departments, and whether the parts are enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.models import Target
from cloudctl.queries import targets as reads
from cloudctl.store import UnitOfWork
from tenants.migration.measures import figures
from tenants.migration.rates import percent_text
from tenants.migration.scopes import parse
from tenants.migration.target_form import TargetForm
from tenants.migration.targeting import COLUMNS, need_open, put, read_forms
from tenants.migration.targets import Figure, Sum, Wanted, adds_up, part_faults

TO = ("divisions", "departments")
_PERSONAL = ("leader", "unit", "person")  # each part has its own
Json = dict[str, Any]


@dataclass(frozen=True)
class Decomposition:
    """The parts a target was, or would be, given; and whether they are enough."""

    parts: Sequence[tuple[int | None, TargetForm, Figure]]  # id once written
    check: Sum

    def as_json(self) -> Json:
        """The decomposition for API and page."""
        return {
            "parts": [
                {
                    "id": id_,
                    "name": form.name,
                    "state": None,
                    "scope": form.scope,
                    "value": percent_text(form.value),
                    "due_on": form.due_on,
                    "rate": figure.percent,
                    "denominator": figure.denominator,
                }
                for id_, form, figure in self.parts
            ],
            "is_enough": self.check.is_enough,
            "short": self.check.short,
            "rate_then": self.check.outcome.percent,
            "not_covered": self.check.rest.denominator,
        }


def decompose(
    core: Core,
    actor: Actor,
    target_id: int,
    parts: Sequence[Mapping[str, Any]] = (),
    to: str | None = None,
    is_dry_run: bool = False,
) -> Decomposition:
    """Give a target its parts: those listed (scope, and what differs from the target), or evenly `to` all
    divisions one level below or all departments in which there is anything to count.

    BadInput when a part overlaps another, lies outside, or is due later. The answer says whether the target
    is reached once every part reaches its own.
    """
    with (core.store.read if is_dry_run else core.store.write)() as uow:
        parent = need_open(uow, target_id)
        actor.must("migration.target", reads.path_of(uow, parent.scope))
        now = core.clock.now()
        listed = [*parts, *({"scope": scope} for scope in _evenly(uow, parent, to))]
        forms = read_forms(uow, [_inherited(parent, part) for part in listed], "parts[{index}].")
        known = _parts_of(uow, parent)
        scopes = [parse(form.scope) for form in [*forms, *known]]
        counted = figures(uow, now, parent.measure, [parse(parent.scope), *scopes])
        if to is not None:
            forms = [form for form in forms if counted[form.scope].denominator]
        _check_parts(uow, parent, forms, known)
        every = [(form.value, counted[form.scope]) for form in (*known, *forms)]
        check = adds_up(parent.value, counted[parent.scope], every)
        made = []
        for form in forms:
            row = put(core, uow, actor, form, is_dry_run, is_new=True, parent_id=parent.id)
            made.append((row["id"], form, counted[form.scope]))
    return Decomposition(made, check)


def _inherited(parent: Target, part: Mapping[str, Any]) -> Json:
    """A part says only what differs; the rest is its parent's."""
    whole: Json = {name: getattr(parent, name) for name in COLUMNS if name not in _PERSONAL}
    return {**whole, "value": percent_text(parent.value), **part}


def _evenly(uow: UnitOfWork, parent: Target, to: str | None) -> list[str]:
    if to is None:
        return []
    if to not in TO:
        params = {"word": to, "known": ", ".join(TO)}
        fault = Fault("to", "unknown_choice", "there is no '{word}'", params, "one of {known}")
        raise BadInput("the target cannot be set: {count} faults", faults=[fault], count=1)
    taken = {form.scope for form in _parts_of(uow, parent)}
    return [scope for scope in reads.parts_below(uow, parent.scope, to) if scope not in taken]


def _parts_of(uow: UnitOfWork, parent: Target) -> list[TargetForm]:
    rows = uow.all(Target, Target.parent_id == parent.id, Target.closed_at.is_(None), order_by=[Target.id])
    return [TargetForm(**{name: getattr(row, name) for name in COLUMNS}) for row in rows]


def _check_parts(
    uow: UnitOfWork, parent: Target, forms: Sequence[TargetForm], known: Sequence[TargetForm]
) -> None:
    """BadInput for what cannot be a part beside those there are."""
    if not forms:
        fault = Fault("parts", "missing", "no part is named", hint="name scopes, or say to whom")
        raise BadInput("the target cannot be set: {count} faults", faults=[fault], count=1)
    wanted = [_wanted(form) for form in (*known, *forms)]
    paths = reads.lies_in(uow, [one.scope for one in wanted])
    faults = [
        Fault(_moved(fault.place, len(known)), fault.code, fault.template, fault.params, fault.hint)
        for fault in part_faults(_wanted(parent), wanted, paths)
        if int(fault.place.partition(".")[0]) >= len(known)
    ]
    if faults:
        raise BadInput("the target cannot be set: {count} faults", faults=faults, count=len(faults))


def _moved(place: str, by: int) -> str:
    index, _, name = place.partition(".")
    return f"parts[{int(index) - by}].{name}"


def _wanted(one: Target | TargetForm) -> Wanted:
    return Wanted(one.scope, one.measure, one.value, one.due_on)
