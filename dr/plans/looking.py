"""The look at a plan that is taken every few minutes: state, health, readiness and inventory, written down.

Rows and clouds are asked outside any transaction; what was decided is written only while the plan is still
the one that was looked at.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cloudctl.core import Core
from cloudctl.errors import Fault, OverQuota
from cloudctl.lifecycle import PlanHealth, PlanState
from cloudctl.models import ProtectionPlan
from cloudctl.notices import tell
from cloudctl.queries import plans as reads
from cloudctl.store import UnitOfWork
from dr.plans import facts, inventory, reserve, standing
from dr.plans.document import Document, of_json
from dr.plans.facts import Outside
from dr.plans.forecast import MOST_SAMPLES, Forecast, forecast, sample_of
from dr.plans.health import Health, health
from dr.plans.known import Known
from dr.plans.readiness import PlanFacts, Readiness, assess
from dr.plans.standing import USABLE, Stand
from dr.plans.validate import is_undecided, validate
from provisioning import administrators

log = logging.getLogger(__name__)

EVERY_S = 300
SUBJECT = "protection_plan"
Json = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What was seen of one plan, and what follows."""

    document: Document
    known: Known
    about: PlanFacts
    health: Health
    forecast: Forecast
    items: Json
    faults: tuple[Fault, ...]  # of the plan itself

    @property
    def readiness(self) -> Readiness:
        """Whether a move could be made now."""
        return assess(self.document, self.about, self.known, self.health)


def look_at(core: Core, outside: Outside, plan: ProtectionPlan) -> Look:
    """Ask everybody; nothing is written. The row may be one that was read in another transaction."""
    document = of_json(plan.document)
    now = core.clock.now()
    known = facts.gather(core.store, outside, document, now, plan.id, plan.active_site_id)
    with core.store.read() as uow:
        about = PlanFacts(
            PlanState(plan.state),
            plan.verified_at,
            reads.is_moving(uow, plan.id),
            reads.is_drilling(uow, plan.id),
        )
        seen = [sample_of(one) for one in reads.measured(uow, plan.id, MOST_SAMPLES)]
    state_of_data = health(document, known)
    return Look(
        document,
        known,
        about,
        state_of_data,
        forecast(document, known, state_of_data, [one for one in seen if one is not None]),
        inventory.take(document, known),
        tuple(validate(document, known)),
    )


def look_due(core: Core, outside: Outside, every_s: int = EVERY_S) -> list[str]:
    """Look at every plan whose turn it is; the names of those that were looked at.

    Any number of workers may call it: the turn is taken by a guarded update. Trouble with one stops no other.
    """
    now = core.clock.now()
    its_turn = (ProtectionPlan.seen_at.is_(None)) | (
        ProtectionPlan.seen_at <= now - timedelta(seconds=every_s)
    )
    living = ProtectionPlan.state != PlanState.RETIRED
    with core.store.read() as uow:
        due = uow.column(ProtectionPlan.id, living, its_turn)
    looked, outside = [], outside.for_a_round()
    for plan_id in due:
        with core.store.write() as uow:
            if not uow.update(ProtectionPlan, ProtectionPlan.id == plan_id, its_turn, seen_at=now):
                continue
        try:
            looked.append(look(core, outside, plan_id))
        except OverQuota as error:  # somebody was faster: the next look tries again
            log.info("no look at plan %s: %s", plan_id, error)
        except Exception:  # the plans after this one are looked at all the same
            log.exception("no look at plan %s", plan_id)
    return looked


def look(core: Core, outside: Outside, plan_id: int) -> str:
    """Look at one plan now and write it down; its name."""
    with core.store.read() as uow:
        plan = uow.need(ProtectionPlan, plan_id)
        name, sha256, site = plan.name, plan.sha256, plan.active_site_id
    seen = look_at(core, outside, plan)
    with core.store.write() as uow:
        row = uow.for_update(ProtectionPlan, plan_id)
        if (row.sha256, row.active_site_id) == (sha256, site):
            _keep(core, uow, row, seen, is_due_again=row.seen_at is None and plan.seen_at is not None)
    return name


def decide(stand: Stand, plan: ProtectionPlan, seen: Look) -> Stand:
    """The state after this look."""
    after = standing.after_validation(stand, bool(seen.faults), is_undecided(seen.faults))
    after = standing.after_time(after, plan.verified_at, seen.document.verified_for_s, seen.known.at)
    return standing.after_look(after, drift(plan, seen.items))


def drift(plan: ProtectionPlan, items: Json) -> list[Json]:
    """What the plan rests on that is other than when it was proved."""
    if not plan.inventory_sha256 or plan.inventory_sha256 == inventory.sha256_of(items):
        return []
    if not plan.inventory:  # it was other already when the drill ended
        return [{"what": "", "change": "unknown", "before": None, "after": None}]
    return inventory.changes(plan.inventory, items)


def _keep(core: Core, uow: UnitOfWork, plan: ProtectionPlan, seen: Look, is_due_again: bool) -> None:
    """`is_due_again`: somebody asked for another look while this one was taken, of things it did not see."""
    before, health_before = standing.stand_of(plan), plan.health
    after = decide(before, plan, seen)
    standing.keep(plan, after)
    plan.faults = told(seen.faults)
    plan.health, plan.health_why = seen.health.state.value, list(seen.health.why)
    plan.seen_at = None if is_due_again else seen.known.at
    standing.note_inventory(plan, seen.items)
    if after.state in USABLE and not seen.about.is_moving:
        known = reserve.hold(uow, core.clock, plan, seen.document, seen.known)
        seen = replace(seen, known=known)
    plan.readiness = as_json(replace(seen, about=replace(seen.about, state=after.state)))
    uow.flush()
    if before.state is not after.state:
        details = {"from": before.state.value, "to": after.state.value, "why": list(after.stale)}
        core.audit.record(uow, "system", "dr.plan.state", SUBJECT, plan.id, {"name": plan.name, **details})
    _warn(core, uow, plan, before.state, health_before)


def _warn(core: Core, uow: UnitOfWork, plan: ProtectionPlan, state: PlanState, health_before: str) -> None:
    """Whoever looks after the two sites is told once, when it gets worse."""
    params = {"plan": plan.name, "system": plan.system_id}
    people = {
        one
        for site in (plan.home_site_id, plan.recovery_site_id)
        for one in administrators.of_site(uow, site)
    }
    if plan.state == PlanState.STALE and state is PlanState.VERIFIED:
        words = "the plan {plan} of {system} is verified no more: it has to be rehearsed again"
        tell(uow, core.clock, sorted(people), words, params, (SUBJECT, plan.id))
    if plan.health == PlanHealth.RPO_VIOLATED and health_before != PlanHealth.RPO_VIOLATED:
        words = "the data of {system} is older at the other site than the plan {plan} allows"
        tell(uow, core.clock, sorted(people), words, params, (SUBJECT, plan.id))


def as_json(seen: Look) -> Json:
    """What the row keeps of a look: readiness and forecast as plain JSON."""
    return {
        "is_ready": seen.readiness.is_ready,
        "at": seen.known.at.isoformat(),
        "target": seen.known.target,
        "blocks": told(seen.readiness.blocks),
        "notes": told(seen.readiness.notes),
        "forecast": seen.forecast.as_json(),
    }


def told(faults: Sequence[Fault]) -> list[Json]:
    """Faults as JSON keeps them, to be said in any language later."""
    return [
        {
            "place": one.place,
            "code": one.code,
            "template": one.template,
            "params": dict(one.params),
            "hint": one.hint,
        }
        for one in faults
    ]
