"""What a shift is decided on: the rows of a name, of its plan and of its last shift, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudctl.actors import Actor, Scope
from cloudctl.errors import NotFound
from cloudctl.lifecycle import PlanHealth
from cloudctl.models import InformationSystem, ProtectionPlan, Shift, Traffic
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from dr.plans.document import Document, Serving, of_json
from dr.traffic.job import plain
from dr.traffic.limits import SOAK_S, limits_of, ramp_of, read_watch
from dr.traffic.rules import Situation
from dr.traffic.shares import Weights
from dr.traffic.steps import steps

_KEPT = (Serving.STATELESS, Serving.MULTI_WRITER)  # no part of these has one writer


@dataclass(frozen=True)
class Known:
    """A name with its plan."""

    traffic: Traffic
    plan: ProtectionPlan
    document: Document
    open_shift: Shift | None
    last_ended_at: datetime | None

    @property
    def writer(self) -> str | None:
        """Where the data is written; None where it is at any site."""
        return None if all(one.serving in _KEPT for one in self.document.parts) else self.plan.active_site_id

    @property
    def is_one_site(self) -> bool:
        """Whether a part answers only where the writer is."""
        return any(one.serving is Serving.ONE_SITE for one in self.document.parts)

    @property
    def soak_s(self) -> int:
        """How long each step is watched, where nothing else is said."""
        return max(int((self.traffic.limits or {}).get("soak_s", SOAK_S)), self.traffic.ttl_s)


def find(uow: UnitOfWork, actor: Actor, key: str, right: str = "dr.see") -> Known:
    """The name by itself, by its number or by its plan. NotFound unless the actor sees it; NotAllowed."""
    text = key.strip().lower()
    by_name = (Traffic.name == text) | (Traffic.name == f"{text.rstrip('.')}.")
    by_plan = Traffic.plan_id.in_(uow.column(ProtectionPlan.id, ProtectionPlan.name == key.strip()))
    by_number = (Traffic.id == int(text)) if text.isdecimal() and len(text) < 10 else None
    conditions = by_name | by_plan if by_number is None else by_name | by_plan | by_number
    for traffic in uow.all(Traffic, conditions, order_by=[Traffic.id], limit=1):
        known = of(uow, traffic)
        path = path_of(uow, known.plan)
        if actor.may("dr.see", path):
            actor.must(right, path)
            return known
    raise NotFound("{what} '{key}' does not exist", what="traffic", key=key[:100])


def of(uow: UnitOfWork, traffic: Traffic) -> Known:
    """Everything about the name."""
    plan = uow.need(ProtectionPlan, traffic.plan_id)
    mine = Shift.traffic_id == traffic.id
    is_open = uow.first(Shift, mine, Shift.ended_at.is_(None), order_by=[Shift.id.desc()])
    ended = uow.first(Shift, mine, Shift.ended_at.isnot(None), order_by=[Shift.ended_at.desc()])
    at = ended.ended_at if ended is not None else None
    return Known(traffic, plan, of_json(plan.document), is_open, at)


def path_of(uow: UnitOfWork, plan: ProtectionPlan) -> list[Scope]:
    """Where a right on the plan has to be held: the system's department and divisions, or a site of it."""
    owner = uow.need(InformationSystem, plan.system_id).department_id
    path = scopes.department_path(uow, owner, plan.home_site_id)
    return [*path, ("site", plan.recovery_site_id)]


def situation(
    known: Known,
    after: Weights,
    now: datetime,
    gives_shares: bool,
    soak_s: int | None = None,
    way: Sequence[Weights] | None = None,
) -> Situation:
    """The shift to `after`, with all that it is judged by. `way`: its steps where they are known already."""
    traffic, kept = known.traffic, known.traffic.limits or {}
    before = dict(traffic.weights or {})
    wanted = {site: after.get(site, 0) for site in {*traffic.addresses, *after}}
    is_gradual = not known.is_one_site
    made = steps(before, wanted, ramp=ramp_of(kept), is_gradual=is_gradual, gives_shares=gives_shares)
    since = known.last_ended_at
    return Situation(
        sites=sorted(traffic.addresses),
        before=before,
        after=plain(wanted),
        steps=made if way is None else way,
        ttl_s=traffic.ttl_s,
        soak_s=known.soak_s if soak_s is None else soak_s,
        writer=known.writer,
        is_one_site=known.is_one_site,
        gives_shares=gives_shares,
        is_frozen=traffic.is_frozen,
        is_watched=read_watch(kept) is not None,
        since_s=None if since is None else (now - since).total_seconds(),
        behind_s=_behind(known),
        limits=limits_of(kept),
    )


def _behind(known: Known) -> Mapping[str, float | None]:
    """How old the data of the site without the writer is at most, as the health of the plan says it."""
    other = {known.plan.home_site_id, known.plan.recovery_site_id} - {known.plan.active_site_id}
    most: dict[str, float] = {
        PlanHealth.PROTECTED: 0.7 * known.document.rpo_s,
        PlanHealth.RPO_AT_RISK: float(known.document.rpo_s),
    }
    return {site: most.get(known.plan.health) for site in other}
