"""Targets as everybody who sees figures reads them: how each stands today, and what was said about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import Target
from cloudctl.queries import targets as reads
from cloudctl.store import UnitOfWork
from tenants.migration.measures import MEASURES, figures
from tenants.migration.rates import percent_text, systems_text
from tenants.migration.scopes import parse
from tenants.migration.targets import Figure, Standing, adds_up, standing

Json = dict[str, Any]


def list_targets(
    core: Core,
    actor: Actor,
    scope: str | None = None,
    measure: str | None = None,
    state: str | None = None,
    with_closed: bool = False,
    parent: int | None = None,
) -> list[Json]:
    """Targets with how they stand now, the next that is due first. Needs migration.see anywhere."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        found = reads.list_targets(uow, scope, measure, not with_closed, parent)
        rows = as_rows(uow, core.clock.now(), found)
    return [row for row in rows if state in (None, row["state"])]


def show_target(core: Core, actor: Actor, target_id: int) -> Json:
    """One target with its parts, whether they are enough, and its notes. NotFound when there is none."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        target = uow.get(Target, target_id)
        if target is None:
            raise NotFound("target {id} does not exist", id=target_id)
        now = core.clock.now()
        parts = reads.list_targets(uow, None, None, is_open=True, parent=target_id)
        [row, *of_parts] = as_rows(uow, now, [target, *parts])
        return {
            **row,
            "parts": of_parts,
            "check": _check(uow, now, target, parts) if parts else None,
            "notes": reads.notes(uow, target_id),
        }


def figure_now(uow: UnitOfWork, now: datetime, target: Target) -> tuple[Figure, Standing]:
    """What a target measures now, and how it stands."""
    figure = figures(uow, now, target.measure, [parse(target.scope)])[target.scope]
    return figure, standing(target.value, target.due_on, figure, local_day(now))


def as_rows(uow: UnitOfWork, now: datetime, targets: Sequence[Target]) -> list[Json]:
    """Each target as a row, every measure counted once."""
    counted: dict[tuple[str, str], Figure] = {}
    for measure in dict.fromkeys(target.measure for target in targets):
        scopes = [parse(one.scope) for one in targets if one.measure == measure]
        for scope, figure in figures(uow, now, measure, scopes).items():
            counted[measure, scope] = figure
    names = reads.known_scopes(uow)
    return [_row(one, counted[one.measure, one.scope], names, now) for one in targets]


def _row(target: Target, figure: Figure, names: Mapping[str, str], now: datetime) -> Json:
    stands = standing(target.value, target.due_on, figure, local_day(now))
    return {
        "id": target.id,
        "name": target.name,
        "state": "closed" if target.closed_at else stands.state,
        "lamp": None if target.closed_at or stands.lamp is None else stands.lamp.value,
        "scope": target.scope,
        "scope_name": names.get(target.scope, target.scope),
        "measure": target.measure,
        "thing": MEASURES[target.measure].thing,
        "target": percent_text(target.value),
        "due_on": target.due_on,
        "rate": figure.percent,
        "numerator": systems_text(figure.numerator_hundredths),
        "denominator": figure.denominator,
        "unknown": figure.unknown,
        "is_reached": stands.is_reached,
        "is_overdue": stands.is_overdue,
        "days_left": stands.days_left,
        "behind": stands.behind,
        "source": target.source,
        "parent": target.parent_id,
        "leader": target.leader,
        "unit": target.unit,
        "person": target.person,
        "created_at": target.created_at,
        "closed_at": target.closed_at,
    }


def _check(uow: UnitOfWork, now: datetime, target: Target, parts: Sequence[Target]) -> Json:
    """Whether the parts are enough: the target would be reached once each of them is."""
    scopes = [parse(one.scope) for one in (target, *parts)]
    counted = figures(uow, now, target.measure, scopes)
    found = adds_up(target.value, counted[target.scope], [(one.value, counted[one.scope]) for one in parts])
    return {
        "is_enough": found.is_enough,
        "short": found.short,
        "rate_then": found.outcome.percent,
        "not_covered": found.rest.denominator,
    }
