"""What people do with the name of a plan: keep it in the name service, move people, halt, take back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, NameServiceRefused, NotFound, Refused, WrongState
from cloudctl.models import ProtectionPlan, Shift, Traffic
from cloudctl.notices import settle
from cloudctl.ports import Dns
from cloudctl.store import UnitOfWork
from dr.plans.document import Document, Steering, of_json
from dr.traffic import limits, rules
from dr.traffic.describing import notes, shift_row, traffic_row
from dr.traffic.facts import Known, find, of, path_of, situation
from dr.traffic.job import NAME, go, go_traffic, plain
from dr.traffic.shares import WHOLE, family
from dr.traffic.starting import begin, start

Json = dict[str, Any]
_MOST_TEXT = 1000


@dataclass(frozen=True)
class Wanted:
    """Where people shall go: everybody `to` one site, or by `weights`. `set_aside`: names of rules."""

    to: str | None = None
    weights: Mapping[str, int] | None = None
    soak_s: int | None = None
    set_aside: tuple[str, ...] = ()
    reason: str = ""


def apply(core: Core, actor: Actor, dns: Dns, plan: str, given: Mapping[str, Any] | None = None) -> Json:
    """The name of a plan is kept in the name service from now on, by the limits given (None: as they are).

    A name that is new goes to the site where the system runs. One that is there already is taken over as it
    is, where its addresses are those of one site; a plan whose addresses have changed changes them there.
    Again without a change does nothing. Needs dr.plan; BadInput with all faults.
    """
    gives, trouble = _gives(core, dns, plan)
    with core.store.write() as uow:
        row = _plan(uow, actor, plan)
        actor.must("dr.plan", path_of(uow, row))
        steering = of_json(row.document).steering
        if steering is None:
            raise BadInput("the input has faults", faults=[Fault("steering", "missing", "is missing")])
        faults = [*_steering_faults(of_json(row.document), steering), *trouble]
        kept: Json = {}
        if given is not None:
            kept, wrong = limits.read(given, steering.addresses)
            faults += wrong
        if faults:
            raise BadInput("the input has faults", faults=faults)
        traffic, is_news = _write(core, uow, actor, row, steering, kept if given is not None else None)
        known = of(uow, traffic)
        if is_news:
            if known.open_shift is not None:
                raise Conflict("a shift of {name} is not over", name=traffic.name)
            home = {site: WHOLE if site == row.active_site_id else 0 for site in traffic.addresses}
            weights = plain(traffic.weights or home)
            _move(core, uow, known, actor.user_id, weights, [weights], 1)
        _record(core, uow, actor, "apply", known, addresses=traffic.addresses, ttl_s=traffic.ttl_s,
                limits=traffic.limits, gives_shares=gives)  # fmt: skip
        return traffic_row(of(uow, traffic))


def preview(core: Core, actor: Actor, dns: Dns, key: str, wanted: Wanted) -> Json:
    """The steps that would be taken, and every rule that stands in the way; nothing is changed."""
    with core.store.read() as uow:
        known = find(uow, actor, key)
        gives = dns.gives_shares(known.traffic.name)
        asked, faults = _judge(core, known, wanted, gives)
        state = "impossible" if faults or known.open_shift is not None else "possible"
        row = traffic_row(known)
        steps = [dict(one) for one in asked.steps]
        told = {"after": dict(asked.after), "steps": steps, "soak_s": asked.soak_s}
        return {**row, **told, "state": state, "faults": faults, "notes": notes(known)}


def shift(core: Core, actor: Actor, dns: Dns, key: str, wanted: Wanted) -> Json:
    """Begin to move people, step by step. Refused with every rule that stands in the way; Conflict while
    another shift of the name is not over. Needs dr.run."""
    with core.store.write() as uow:
        known = _locked(uow, find(uow, actor, key, "dr.run"))
        if wrong := [*_form_faults(wanted), *rules.wrong_names(wanted.set_aside, wanted.reason)]:
            raise BadInput("the input has faults", faults=wrong)
        if known.open_shift is not None:
            raise Conflict("a shift of {name} is not over", name=known.traffic.name)
        gives = dns.gives_shares(known.traffic.name)
        asked, faults = _judge(core, known, wanted, gives)
        if faults:
            raise Refused("people are not moved: rules stand in the way", faults=faults)
        steps = [dict(one) for one in asked.steps]
        if not steps or plain(asked.after) == plain(asked.before):
            raise Refused("the shares are these already")
        row = _move(core, uow, known, actor.user_id, asked.after, steps, asked.soak_s)
        row.reason = wanted.reason.strip()[:_MOST_TEXT]
        broken = {one.code for one in rules.breaches(asked)}
        row.overridden = [one for one in wanted.set_aside if one in broken]
        told = {"after": row.after, "reason": row.reason, "set_aside": row.overridden}
        _record(core, uow, actor, "shift", known, shift=row.id, **told)
        return shift_row(row, known.traffic)


def halt(core: Core, actor: Actor, shift_id: int, reason: str = "") -> Json:
    """People stay where they are by now, until the shift goes on or is taken back. Needs dr.run."""
    with core.store.write() as uow:
        row, known = _shift(uow, actor, shift_id)
        go(row, "halt")
        row.why = f"{actor.user_id}: {reason.strip()[:_MOST_TEXT]}".rstrip(": ")
        go_traffic(known.traffic, "halt")
        _record(core, uow, actor, "halt", known, shift=row.id, reason=reason.strip())
        return shift_row(row, known.traffic)


def resume(core: Core, actor: Actor, dns: Dns, shift_id: int, reason: str = "") -> Json:
    """A halted shift goes on with the step at which it stood. The rules are asked again: Refused."""
    with core.store.write() as uow:
        row, known = _shift(uow, actor, shift_id)
        go(row, "ramp")
        gives = dns.gives_shares(known.traffic.name)
        asked = situation(known, row.after, core.clock.now(), gives, row.soak_s, row.steps)
        found = rules.standing_in_the_way(rules.breaches(asked), {*row.overridden, rules.Rule.FLAP})
        if found:
            raise Refused("people are not moved: rules stand in the way", faults=found)
        go_traffic(known.traffic, "shift")
        settle(uow, core.clock, (NAME, known.traffic.name))
        row.why, row.seen = "", {**(row.seen or {}), "now": {}}
        start(uow, core, row)
        _record(core, uow, actor, "resume", known, shift=row.id, reason=reason.strip())
        return shift_row(row, known.traffic)


def roll_back(core: Core, actor: Actor, shift_id: int, reason: str = "") -> Json:
    """People go to where they were before, in one change. Needs dr.run; a freeze does not hold it."""
    with core.store.write() as uow:
        row, known = _shift(uow, actor, shift_id)
        go(row, "roll_back")
        if known.traffic.state == "halted":
            go_traffic(known.traffic, "shift")
        settle(uow, core.clock, (NAME, known.traffic.name))
        row.why, row.seen = "", {**(row.seen or {}), "taken_back_by": actor.user_id}
        start(uow, core, row)
        _record(core, uow, actor, "roll-back", known, shift=row.id, reason=reason.strip())
        return shift_row(row, known.traffic)


def freeze(core: Core, actor: Actor, key: str, reason: str) -> Json:
    """Nobody is moved until it is ended; a shift that is under way halts. Needs dr.approve and a reason."""
    with core.store.write() as uow:
        known = _locked(uow, find(uow, actor, key, "dr.approve"))
        if not reason.strip():
            raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
        known.traffic.is_frozen = True
        row = known.open_shift
        if row is not None and row.state in {"asked", "ramping", "soaking"}:
            go(row, "halt")
            row.why = f"{actor.user_id}: {reason.strip()[:_MOST_TEXT]}"
            go_traffic(known.traffic, "halt")
        _record(core, uow, actor, "freeze", known, reason=reason.strip())
        return traffic_row(known)


def thaw(core: Core, actor: Actor, key: str, reason: str = "") -> Json:
    """People may be moved again. Needs dr.approve."""
    with core.store.write() as uow:
        known = _locked(uow, find(uow, actor, key, "dr.approve"))
        known.traffic.is_frozen = False
        _record(core, uow, actor, "thaw", known, reason=reason.strip())
        return traffic_row(known)


# -- the pieces ---------------------------------------------------------------------------------


def _gives(core: Core, dns: Dns, plan: str) -> tuple[bool, list[Fault]]:
    """Whether the name's master gives shares; a name of no zone is a fault among the others."""
    with core.store.read() as uow:
        row = uow.first(ProtectionPlan, ProtectionPlan.name == plan)
        steering = of_json(row.document).steering if row is not None else None
    if steering is None:
        return False, []
    try:
        return dns.gives_shares(steering.name), []
    except NameServiceRefused as error:
        return False, [Fault("steering.name", error.code, error.template, error.params, error.hint)]


def _plan(uow: UnitOfWork, actor: Actor, key: str) -> ProtectionPlan:
    row = uow.first(ProtectionPlan, ProtectionPlan.name == key.strip())
    if row is None or not actor.may("dr.see", path_of(uow, row)):
        raise NotFound("{what} '{key}' does not exist", what="plan", key=key[:100])
    return row


def _steering_faults(document: Document, steering: Steering) -> list[Fault]:
    """Each site of the plan needs addresses, and all of them the same families."""
    faults = []
    for site in (document.home, document.recovery):
        if not steering.addresses.get(site):
            params = {"site": site}
            template = "there is no address at {site}"
            faults.append(Fault(f"steering.addresses.{site}", "missing", template, params))
    families = {site: {family(one) for one in ones} for site, ones in steering.addresses.items() if ones}
    if len({tuple(sorted(one)) for one in families.values()}) > 1:
        template = "every site needs addresses of the same families: whoever asks for AAAA would go elsewhere"
        faults.append(Fault("steering.addresses", "families", template))
    return faults


def _write(
    core: Core, uow: UnitOfWork, actor: Actor, plan: ProtectionPlan, steering: Steering, kept: Json | None
) -> tuple[Traffic, bool]:
    """The row, and whether the name service has to be told."""
    name = f"{steering.name.lower().rstrip('.')}."
    addresses = {site: list(ones) for site, ones in sorted(steering.addresses.items())}
    now = core.clock.now()
    row = uow.first(Traffic, Traffic.plan_id == plan.id)
    if row is None:
        made = Traffic(
            plan_id=plan.id, name=name, ttl_s=steering.ttl_s, addresses=addresses, weights={},
            state="single_site", limits=kept or {}, created_at=now, created_by=actor.user_id,
        )  # fmt: skip
        return uow.add(made), True
    if row.name != name:
        raise Refused("the plan has the name {name} in the name service", name=row.name,
                      hint="people keep to the old name: make another plan for the new one")  # fmt: skip
    is_news = (row.ttl_s, row.addresses) != (steering.ttl_s, addresses) or not row.weights
    row.ttl_s, row.addresses = steering.ttl_s, addresses
    if kept is not None:
        row.limits = kept
    return row, is_news


def _move(
    core: Core, uow: UnitOfWork, known: Known, by: str, after: Mapping[str, int],
    steps: Sequence[Mapping[str, int]], soak_s: int,
) -> Shift:  # fmt: skip
    go_traffic(known.traffic, "shift")
    row = begin(uow, core.clock, known.traffic, after, steps, soak_s, by)
    start(uow, core, row)
    return row


def _judge(core: Core, known: Known, wanted: Wanted, gives: bool) -> tuple[rules.Situation, list[Fault]]:
    asked = situation(known, _weights(wanted), core.clock.now(), gives, wanted.soak_s)
    return asked, rules.standing_in_the_way(rules.breaches(asked), wanted.set_aside)


def _weights(wanted: Wanted) -> Mapping[str, int]:
    return {wanted.to: WHOLE} if wanted.to else (wanted.weights or {})


def _form_faults(wanted: Wanted) -> list[Fault]:
    faults = []
    if (wanted.to is None) == (wanted.weights is None):
        faults.append(Fault("to", "contradiction", "say either the site or the weights"))
    if wanted.soak_s is not None and not 1 <= wanted.soak_s <= 86400:
        params = {"least": 1, "most": 86400}
        faults.append(Fault("soak_s", "out_of_range", "must be a number from {least} to {most}", params))
    if len(wanted.reason) > _MOST_TEXT:
        faults.append(Fault("reason", "too_long", "at most {most} characters", {"most": _MOST_TEXT}))
    return faults


def _locked(uow: UnitOfWork, known: Known) -> Known:
    """As it is under the lock of its row."""
    return of(uow, uow.for_update(Traffic, known.traffic.id))


def _shift(uow: UnitOfWork, actor: Actor, shift_id: int) -> tuple[Shift, Known]:
    """The shift, locked, where the actor may move people. NotFound; WrongState when it is over."""
    found = uow.get(Shift, shift_id)
    if found is None:
        raise NotFound("{what} '{key}' does not exist", what="shift", key=str(shift_id))
    traffic = uow.for_update(Traffic, found.traffic_id)
    known = find(uow, actor, traffic.name, "dr.run")
    row = uow.for_update(Shift, shift_id)
    if row.ended_at is not None:
        raise WrongState("shift {id} is over", id=row.id)
    return row, known


def _record(core: Core, uow: UnitOfWork, actor: Actor, action: str, known: Known, **details: object) -> None:
    told = {"name": known.traffic.name, "plan": known.document.name, **details}
    core.audit.record(
        uow, actor.user_id, f"traffic.{action}", "traffic", known.traffic.id, told, actor.trace_id
    )
