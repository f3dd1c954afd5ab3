"""Whether a move could be made right now: all that would stop it, each with its place and the way out. Pure.

What stops (`blocks`) and what people have to know first (`notes`) are told apart: an old proof stops a
planned move, and for an unplanned one it is said aloud.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.amounts import Amounts
from cloudctl.errors import Fault
from cloudctl.lifecycle import PlanHealth, PlanState
from cloudctl.ports.replication import ReplicaState
from dr.plans import databases, likeness
from dr.plans.document import Document, Way
from dr.plans.health import Health, newest_usable
from dr.plans.known import Known, needed, without_agents
from dr.plans.validate import validate

MAJORITY = 2  # of three
_OLD_CAPACITY = timedelta(hours=24)


@dataclass(frozen=True)
class PlanFacts:
    """The row of the plan, as far as it matters here."""

    state: PlanState
    verified_at: datetime | None
    is_moving: bool = False  # a failover of it is under way
    is_drilling: bool = False


@dataclass(frozen=True)
class Readiness:
    """What stops a move now, and what does not stop it."""

    blocks: tuple[Fault, ...]
    notes: tuple[Fault, ...]

    @property
    def is_ready(self) -> bool:
        return not self.blocks


def assess(document: Document, plan: PlanFacts, known: Known, state_of_data: Health) -> Readiness:
    """Everything at once; nothing of it is decided by the first thing found."""
    blocks = [
        *validate(document, known),
        *_state(plan),
        *_rights(known),
        *_data(document, known),
        *databases.unmovable(document),
        *_room(document, known),
        *_witness(known),
    ]
    notes = [
        *_proof(document, plan, known),
        *_lag(document, state_of_data),
        *_agents(document, known),
        *_notes(document, known),
    ]
    return Readiness(tuple(blocks), tuple(notes))


def room_short(document: Document, known: Known) -> list[Fault]:
    """Kinds of which the target has too little, with what all other plans have reserved there taken off."""
    return _short(document, known, known.gives_way)


def _short(document: Document, known: Known, gives_way: Amounts) -> list[Fault]:
    wanted = needed(document, known)
    faults = []
    for kind, room in sorted(known.site(known.target).rooms.items()):
        free = max(0, room.free - known.reserved_by_others[kind]) + gives_way[kind]
        if wanted[kind] > free:
            params = {
                "site": known.target,
                "kind": kind.value,
                "needed": wanted[kind],
                "free": free,
                "reserved": known.reserved_by_others[kind],
            }
            template = (
                "{site} has room for {free} {kind}, {needed} are needed; other plans hold {reserved} there"
            )
            hint = "give the site more room, or let other systems give way: evicts"
            faults.append(Fault("capacity", "no_capacity", template, params, hint))
    return faults


def _state(plan: PlanFacts) -> Iterator[Fault]:
    if plan.state is PlanState.SUSPENDED:
        yield Fault("state", "suspended", "the plan is suspended", hint="resume it: cloudctl dr plan resume")
    elif plan.state is PlanState.RETIRED:
        yield Fault("state", "retired", "the plan is retired")
    elif plan.state is PlanState.VALIDATING:
        yield Fault("state", "validating", "the plan was not checked yet: a site did not answer")
    if plan.is_moving:
        yield Fault("state", "moving", "a failover of the plan is under way already")


def _rights(known: Known) -> Iterator[Fault]:
    target = known.site(known.target).cloud
    if target is not None and target.missing_rights:
        params = {"site": known.target, "rights": ", ".join(target.missing_rights)}
        hint = "give the credential in clouds.yaml these rights"
        yield Fault("credentials", "right_missing", "the credential of {site} lacks {rights}", params, hint)


def _data(document: Document, known: Known) -> Iterator[Fault]:
    ways = {part.way for part in document.parts}
    if Way.POINTS in ways and known.policies and newest_usable(document, known) is None:
        template = "no point of {system} was read back in a vault away from {site}"
        params = {"system": document.system, "site": known.source}
        hint = "take one: cloudctl backup run --system {system}"
        yield Fault("data", "no_point", template, params, hint)
    yield from likeness.faults(document.system, document.parts, known.portrait, known.servers)
    for index, part in enumerate(document.parts):
        for server in known.servers_of(part) if part.way is Way.REPLICATION else ():
            for volume in server.volumes:
                replica = known.replicas.get(volume.external_id)
                bad = (ReplicaState.SPLIT_BRAIN, ReplicaState.SYNCING)
                if replica is not None and replica.state in bad:
                    params = {"name": volume.name, "site": known.target, "state": replica.state.value}
                    template = "the copy of '{name}' at {site} cannot be used: {state}"
                    yield Fault(f"parts[{index}].way", "replica_bad", template, params)


def _room(document: Document, known: Known) -> Iterator[Fault]:
    yield from known.quota
    yield from room_short(document, known)
    wanted = needed(document, known)
    missing = Amounts({kind: max(0, wanted[kind] - known.reserved[kind]) for kind in wanted})
    if known.project and missing and not known.quota:
        told = ", ".join(f"{kind.value} {missing[kind]}" for kind in missing)
        params = {"site": known.target, "amounts": told}
        template = "room at {site} is not held for the plan: {amounts}"
        hint = "apply the plan again: cloudctl dr plan apply"
        yield Fault("reserve", "not_reserved", template, params, hint)


def _witness(known: Known) -> Iterator[Fault]:
    told = known.witness
    if told is None:
        return
    if told.problem:
        params = {"reason": told.problem}
        yield Fault("witness", "no_majority", "the witness does not answer: {reason}", params)
    elif told.holder and told.holder != known.source:
        params = {"holder": told.holder, "site": known.source}
        template = "the witness says that {holder} may write, not {site}"
        yield Fault("witness", "other_holder", template, params)


# -- what does not stop it


def _proof(document: Document, plan: PlanFacts, known: Known) -> Iterator[Fault]:
    hint = "rehearse it: cloudctl dr drill start"
    if plan.verified_at is None:
        yield Fault("proof", "never_proved", "no drill of the plan has ever passed", {}, hint)
        return
    params = {"days": (known.at - plan.verified_at).days}
    if plan.state is PlanState.STALE:
        template = "what was proved {days} days ago is no longer the plan or its inventory"
        yield Fault("proof", "stale", template, params, hint)
    elif plan.state is PlanState.NEEDS_VERIFICATION:
        template = "the last drill that passed was {days} days ago, of another plan"
        yield Fault("proof", "not_proved", template, params, hint)


def _lag(document: Document, state_of_data: Health) -> Iterator[Fault]:
    params = {"seconds": round(state_of_data.behind_s or 0), "objective": document.rpo_s}
    if state_of_data.state is PlanHealth.RPO_VIOLATED:
        template = "{seconds} s would be lost now, the objective is {objective} s"
        yield Fault("lag", "rpo_violated", template, params)
    elif state_of_data.behind_s is None and state_of_data.state is PlanHealth.RPO_AT_RISK:
        yield Fault("lag", "lag_unknown", "how much would be lost now is not known of every part")


def _agents(document: Document, known: Known) -> Iterator[Fault]:
    """An unplanned move waits for the leases of agents; nobody stops writers that none of them holds."""
    for site, name in without_agents(document, known):
        template = "'{name}' at {site} has no agent: its writers would have to be stopped in another way"
        hint = "install it: cloudctl dr witness install {plan} {name}"
        params = {"name": name, "site": site, "plan": document.name}
        yield Fault("witness", "no_agent", template, params, hint)


def _notes(document: Document, known: Known) -> Iterator[Fault]:
    params: dict[str, object]
    target = known.site(known.target)
    if known.witness is None:
        template = "there is no witness at a third place: only a planned move is safe"
        yield Fault("witness", "no_witness", template, hint="set up three members: docs/disaster-recovery.md")
    elif MAJORITY <= known.witness.members_ok < known.witness.members:
        params = {"ok": known.witness.members_ok, "all": known.witness.members}
        yield Fault("witness", "degraded", "{ok} of {all} members of the witness answer", params)
    if _short(document, known, Amounts()) and not room_short(document, known):
        template = "there is room at {site} only when other systems give way: {plans}"
        params = {"site": target.id, "plans": ", ".join(document.evicts)}
        yield Fault("capacity", "others_give_way", template, params)
    if not target.rooms:
        template = "{site} does not tell how much room it has"
        yield Fault("capacity", "capacity_unknown", template, {"site": target.id})
    elif target.capacity_at is not None and known.at - target.capacity_at > _OLD_CAPACITY:
        params = {"site": target.id, "hours": int((known.at - target.capacity_at).total_seconds() // 3600)}
        template = "{site} told how much room it has {hours} hours ago"
        hint = "run: cloudctl site sync {site}"
        yield Fault("capacity", "capacity_old", template, params, hint)
    source = known.site(known.source).cloud
    if source is not None and source.problem:
        params = {"site": known.source, "reason": source.problem}
        template = "{site} does not answer: a planned move is not possible ({reason})"
        yield Fault("source", "source_away", template, params)
    if not document.checks and not any(part.checks for part in document.parts):
        template = "no check says what it means that the system works"
        yield Fault("checks", "no_checks", template)
    for server in known.servers:
        wanted = any(known.server(name) is server for part in document.parts for name in part.servers)
        if not server.has_key and wanted:
            params = {"name": server.name}
            template = "'{name}' has no key that is known here: nobody could sign in to what replaces it"
            yield Fault("keys", "no_key", template, params)
