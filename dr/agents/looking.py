"""How the witness stands: its members, and for each plan the entry, the agents, and what observers saw."""

from collections.abc import Iterator
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Refused
from cloudctl.models import ProtectionPlan
from cloudctl.ports import Observation, Register, Witness
from cloudctl.queries import plans as reads

Json = dict[str, Any]
MEMBER, ENTRY, AGENT, SEEN = "member", "entry", "agent", "seen"


def look(core: Core, actor: Actor, witness: Witness | None) -> list[Json]:
    """One row for each, of the plans that the actor sees; a member that does not answer is a row as well.

    Refused where there is no witness. Without a majority only the members are told.
    """
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    with core.store.read() as uow:
        plans = reads.list_plans(uow, actor, ProtectionPlan.state != "retired")
    rows = [
        _row(MEMBER, one.name, one.place, _member_state(one.is_ok, one.is_leader), one.detail)
        for one in witness.members()
    ]
    try:
        for plan in plans:
            rows.extend(_of_plan(witness, plan))
    except CloudctlError as error:
        if not error.retry:
            raise
        rows.append(_row(ENTRY, "*", "", "unknown", error.text()))
    return rows


def _of_plan(witness: Witness, plan: ProtectionPlan) -> Iterator[Json]:
    entry = witness.read(plan.name)
    yield _entry(plan.name, entry)
    for site in (plan.home_site_id, plan.recovery_site_id):
        word = witness.read_stopped(plan.name, site)
        is_stopped = word is not None and entry is not None and word.seen >= entry.epoch
        state = "stopped" if is_stopped else "enrolled"
        said = f"epoch {word.epoch}, seen {word.seen}, {word.at}" if word is not None else ""
        for server in witness.servers(plan.name, site):
            yield _row(AGENT, f"{plan.name}/{server}", site, state, said)
    for seen in witness.read_observations(plan.name):
        yield _observation(seen)


def _entry(group: str, entry: Register | None) -> Json:
    if entry is None:
        return _row(ENTRY, group, "", "none", "")
    detail = f"epoch {entry.epoch}, last {entry.last}" + (f", {entry.owner}" if entry.owner else "")
    return _row(ENTRY, group, entry.holder, "open" if entry.is_open else "closed", detail)


def _observation(seen: Observation) -> Json:
    state = "well" if seen.is_ok else "gone"
    return _row(SEEN, f"{seen.group}/{seen.site}/{seen.what}", seen.place, state, f"{seen.detail}, {seen.at}")


def _member_state(is_ok: bool, is_leader: bool) -> str:
    if not is_ok:
        return "silent"
    return "leader" if is_leader else "follower"


def _row(kind: str, name: str, place: str, state: str, detail: str) -> Json:
    return {
        "id": f"{kind}/{name}",
        "kind": kind,
        "name": name,
        "place": place,
        "state": state,
        "detail": detail,
    }
