"""How plans are shown: in a list, one with its parts and the longest chain, and as the document to write."""

from collections.abc import Mapping
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.models import ProtectionPlan
from cloudctl.queries import plans as reads
from dr import graph
from dr.plans.document import Document, of_json
from dr.plans.facts import Outside
from dr.plans.looking import Look, as_json, look_at
from dr.plans.writing import written
from tenants import reserves

Json = dict[str, Any]


def list_plans(core: Core, actor: Actor, system: str | None = None, state: str | None = None) -> list[Json]:
    """Every plan that the actor sees, with state, health and whether it is ready, as last looked at."""
    actor.must("dr.see", actor.scopes("dr.see"))
    with core.store.read() as uow:
        conditions = [ProtectionPlan.system_id == system] if system else []
        conditions += [ProtectionPlan.state == state] if state else []
        rows = reads.list_plans(uow, actor, *conditions)
        names = reads.titles(uow, [row.system_id for row in rows])
        return [_row(row, names) for row in rows]


def show(core: Core, actor: Actor, key: str) -> Json:
    """One plan with its parts in their order, what is wrong, what is held, and the forecast. NotFound."""
    with core.store.read() as uow:
        plan = reads.find_plan(uow, actor, key)
        document = of_json(plan.document)
        return {
            **_row(plan, reads.titles(uow, [plan.system_id])),
            "faults": list(plan.faults or ()),
            "stale": list(plan.stale or ()),
            "health_why": list(plan.health_why or ()),
            "parts": _parts(document, plan.readiness or {}),
            "document": written(document),
            "reserved": reserves.held_by(uow, plan.id).as_json(),
            "readiness": dict(plan.readiness or {}),
            "is_moving": reads.is_moving(uow, plan.id),
            "is_drilling": reads.is_drilling(uow, plan.id),
        }


def export(core: Core, actor: Actor, key: str) -> Json:
    """The document as it is written in a file; applied again it changes nothing. NotFound."""
    with core.store.read() as uow:
        return written(of_json(reads.find_plan(uow, actor, key).document))


def readiness(core: Core, actor: Actor, outside: Outside, key: str | None = None) -> list[Json]:
    """Of one plan, or of all that the actor sees: what would stop a failover now, asked now. NotFound."""
    actor.must("dr.see", actor.scopes("dr.see"))
    with core.store.read() as uow:
        if key is not None:
            rows = [reads.find_plan(uow, actor, key)]
        else:
            rows = reads.list_plans(uow, actor, ProtectionPlan.state != "retired")
    return [_readiness(plan, look_at(core, outside, plan)) for plan in rows]


def _readiness(plan: ProtectionPlan, look: Look) -> Json:
    found = as_json(look)
    return {
        "id": plan.id,
        "name": plan.name,
        "state": "ready" if found["is_ready"] else "not_ready",
        "plan_state": plan.state,
        "health": look.health.state.value,
        "site": look.known.source,
        "target": look.known.target,
        "is_ready": found["is_ready"],
        "at": look.known.at,
        "blocks": list(look.readiness.blocks),
        "notes": list(look.readiness.notes),
        "forecast": found["forecast"],
    }


def _row(plan: ProtectionPlan, names: Mapping[str, str]) -> Json:
    looked: Mapping[str, Any] = plan.readiness or {}
    forecast: Mapping[str, Any] = looked.get("forecast") or {}
    return {
        "id": plan.id,
        "name": plan.name,
        "state": plan.state,
        "system": plan.system_id,
        "system_name": names.get(plan.system_id, plan.system_id),
        "home": plan.home_site_id,
        "recovery": plan.recovery_site_id,
        "active": plan.active_site_id,
        "epoch": plan.epoch,
        "revision": plan.revision,
        "sha256": plan.sha256,
        "health": plan.health,
        "rpo_s": plan.document["rpo_s"],
        "rto_s": plan.document["rto_s"],
        "loss_s": forecast.get("loss_s"),
        "time_s": forecast.get("time_s"),
        "is_ready": looked.get("is_ready"),
        "blocks_count": len(looked.get("blocks", ())) if looked else None,
        "verified_at": plan.verified_at,
        "verified_by": plan.verified_by,
        "seen_at": plan.seen_at,
        "created_at": plan.created_at,
        "changed_at": plan.changed_at,
    }


def _parts(document: Document, looked: Mapping[str, Any]) -> list[Json]:
    """The parts in an order in which they may start, each with what it needs and what needs it."""
    by_name = {part.name: part for part in document.parts}
    needs = {part.name: part.needs for part in document.parts}
    forecast: Mapping[str, Any] = looked.get("forecast") or {}
    measured = {one["name"]: one for one in forecast.get("pieces", ())}
    chain = forecast.get("chain", ())
    return [
        {
            "name": name,
            "servers": list(by_name[name].servers),
            "needs": list(by_name[name].needs),
            "needed_by": [one for one, wanted in needs.items() if name in wanted],
            "way": by_name[name].way.value,
            "serving": by_name[name].serving.value,
            "checks": [one.name for one in by_name[name].checks],
            "patience_s": by_name[name].patience_s,
            "is_critical": by_name[name].is_critical,
            "is_on_chain": name in chain,
            "median_s": (measured.get(name) or {}).get("median_s"),
            "p90_s": (measured.get(name) or {}).get("p90_s"),
        }
        for name in graph.in_order(needs)
    ]
