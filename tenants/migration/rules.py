"""The rules of counting of an installation: applied as versions that never change, one of them in use."""

from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import StatisticalRule
from cloudctl.store import UnitOfWork
from tenants.migration import rule as rules
from tenants.migration.rule import DEFAULT, Rule

BUILT_IN = f"{DEFAULT.name}@1"
Json = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """The rule that something is counted by; `row_id` is None for the built-in one nobody has stored."""

    rule: Rule
    label: str  # gx-2026@1
    row_id: int | None
    sha256: str


def choose(uow: UnitOfWork, key: str | None = None) -> Chosen:
    """The named rule (`gx-2026@1`; without a version its newest), else the one in use, else the built-in one.

    NotFound when there is none by that name.
    """
    row = _in_use(uow) if key is None else _named(uow, key)
    is_built_in = row is None and key in (None, BUILT_IN, DEFAULT.name)
    if is_built_in:
        row = _named(uow, BUILT_IN)  # stored once something frozen names it
    if row is not None:
        return Chosen(rules.recall(row.document), _label(row), row.id, row.sha256)
    if is_built_in:
        return Chosen(DEFAULT, BUILT_IN, None, rules.sha256(DEFAULT))
    known = ", ".join([BUILT_IN, *(_label(one) for one in _newest(uow))])
    hint = "known: {known}"
    raise NotFound("{what} '{key}' does not exist", what="rule", key=str(key), known=known, hint=hint)


def keep(uow: UnitOfWork, core: Core, actor: Actor, chosen: Chosen) -> int:
    """The row of the rule; the built-in one is written when something frozen is going to name it."""
    if chosen.row_id is not None:
        return chosen.row_id
    return uow.add(_row(core, actor, chosen.rule, version=1)).id


def list_rules(core: Core, actor: Actor) -> list[Json]:
    """Every version of every rule, the built-in one first."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        rows = [row for row in _newest(uow) if _label(row) != BUILT_IN]
        is_used = choose(uow).label == BUILT_IN
    built_in = {"id": BUILT_IN, "name": DEFAULT.title, "state": "current" if is_used else "stored"}
    more = {"version": 1, "sha256": rules.sha256(DEFAULT), "created_at": None, "created_by": None}
    return [{**built_in, **more}, *(_as_json(row) for row in rows)]


def show_rule(core: Core, actor: Actor, key: str | None = None) -> Json:
    """One rule with all its switches; the one in use when none is named."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        chosen = choose(uow, key)
        current = choose(uow)
        row = uow.get(StatisticalRule, chosen.row_id) if chosen.row_id is not None else None
    return {
        "id": chosen.label,
        "name": chosen.rule.title,
        "state": "current" if chosen.label == current.label else "stored",
        "sha256": chosen.sha256,
        "created_at": row.created_at if row else None,
        "created_by": row.created_by if row else None,
        "document": rules.as_document(chosen.rule),
    }


def apply(core: Core, actor: Actor, rule: Rule, use: bool = False) -> Json:
    """Keep a rule as the next version of its name; the same document again is the version there is.

    It is counted by from now on with `use`, or when it is the first of all. What is frozen stays as it was
    counted. Needs migration.count.
    """
    actor.must("migration.count")
    if rule.name == DEFAULT.name:
        fault = Fault("name", rules.RESERVED, "'{name}' is the rule that is built in", {"name": rule.name})
        raise BadInput("the rule of counting has faults: {count}", faults=[fault], count=1)
    with core.store.write() as uow:
        newest = uow.first(
            StatisticalRule,
            StatisticalRule.name == rule.name,
            order_by=[StatisticalRule.version.desc()],
        )
        if newest is None or newest.sha256 != rules.sha256(rule):
            newest = uow.add(_row(core, actor, rule, newest.version + 1 if newest else 1))
            details = {"sha256": newest.sha256, "document": newest.document}
            _record(core, uow, actor, "apply", newest, details)
        if use or _in_use(uow) is None:
            _use(core, uow, actor, newest)
        return _as_json(newest)


def use(core: Core, actor: Actor, key: str) -> Json:
    """Count by this rule from now on. Needs migration.count; NotFound when it was never applied."""
    actor.must("migration.count")
    with core.store.write() as uow:
        chosen = choose(uow, key)
        row = uow.need(StatisticalRule, keep(uow, core, actor, chosen))
        _use(core, uow, actor, row)
        return _as_json(row)


def _use(core: Core, uow: UnitOfWork, actor: Actor, row: StatisticalRule) -> None:
    first = uow.first(StatisticalRule, order_by=[StatisticalRule.id])
    assert first is not None
    uow.for_update(StatisticalRule, first.id)  # two at once would leave two in use
    before = _in_use(uow)
    if before is not None and before.id == row.id:
        return
    uow.update(StatisticalRule, StatisticalRule.is_current.is_(True), is_current=False)
    uow.update(StatisticalRule, StatisticalRule.id == row.id, is_current=True)
    details = {"before": _label(before) if before else BUILT_IN}
    _record(core, uow, actor, "use", row, details)


def _record(
    core: Core, uow: UnitOfWork, actor: Actor, verb: str, row: StatisticalRule, details: Json
) -> None:
    action, label = f"migration.rule.{verb}", _label(row)
    core.audit.record(uow, actor.user_id, action, "statistical_rule", label, details, actor.trace_id)


def _row(core: Core, actor: Actor, rule: Rule, version: int) -> StatisticalRule:
    return StatisticalRule(
        name=rule.name,
        version=version,
        document=rules.as_document(rule),
        sha256=rules.sha256(rule),
        created_at=core.clock.now(),
        created_by=actor.user_id,
    )


def _in_use(uow: UnitOfWork) -> StatisticalRule | None:
    return uow.first(StatisticalRule, StatisticalRule.is_current.is_(True))


def _named(uow: UnitOfWork, key: str) -> StatisticalRule | None:
    name, at, version = key.partition("@")
    conditions = [StatisticalRule.name == name]
    if at:
        if not (version.isascii() and version.isdigit() and len(version) < 9):
            return None
        conditions.append(StatisticalRule.version == int(version))
    return uow.first(StatisticalRule, *conditions, order_by=[StatisticalRule.version.desc()])


def _newest(uow: UnitOfWork) -> list[StatisticalRule]:
    return uow.all(StatisticalRule, order_by=[StatisticalRule.name, StatisticalRule.version.desc()])


def _label(row: StatisticalRule) -> str:
    return f"{row.name}@{row.version}"


def _as_json(row: StatisticalRule) -> Json:
    return {
        "id": _label(row),
        "name": row.document["title"],
        "state": "current" if row.is_current else "stored",
        "version": row.version,
        "sha256": row.sha256,
        "created_at": row.created_at,
        "created_by": row.created_by,
    }
