"""Bringing agents to the servers of a plan, as a person asks for it: one operation for all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl import operations
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, Refused
from cloudctl.models import Operation, ProtectionPlan, Resource, Site
from cloudctl.operations import OPEN
from cloudctl.ports import Witness
from cloudctl.queries import plans as reads
from cloudctl.store import UnitOfWork
from dr.acting import path_of
from dr.agents.bringing import is_called, part_of, servers_at
from dr.plans.document import Document, Serving, of_json
from provisioning.guests import NONE

KIND, SUBJECT = "agents", "plan"  # of the operation
SERVERS, FOUND = "servers", "found"  # in its scratch: ids; what came of each
DEADLINE_S = 2 * 3600
RIGHT = "dr.plan"


@dataclass(frozen=True)
class Wanted:
    """Which servers: those named, those of the parts named, or all that can write; at one site or at both."""

    plan: str
    servers: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    site: str = ""


def install(core: Core, actor: Actor, witness: Witness | None, wanted: Wanted) -> dict[str, Any]:
    """Begin to bring agents to them. Needs dr.plan at each of their sites.

    BadInput with all faults at once, Refused without a witness, Conflict while it goes on for the plan.
    """
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    with core.store.write() as uow:
        plan = reads.find_plan(uow, actor, wanted.plan)
        document = of_json(plan.document)
        sites = [one for one in (document.home, document.recovery) if wanted.site in {"", one}]
        for site in sites:
            actor.must(RIGHT, path_of(uow, plan.system_id, site))
        rows = [row for site in sites for row in servers_at(uow, plan.system_id, site)]
        chosen = [row for row in rows if _is_meant(document, wanted, row)]
        faults = [*_unknown(document, wanted, rows), *_unfit(uow, document, chosen)]
        if not chosen and not faults:
            faults.append(Fault("servers", "missing", "no part of the plan says what writes on its servers",
                                hint="name its units: writers"))  # fmt: skip
        if faults:
            raise BadInput("the input has faults", faults=faults)
        mine = (Operation.kind == KIND, Operation.subject_id == str(plan.id), Operation.state.in_(OPEN))
        if uow.count(Operation, *mine):
            raise Conflict("agents of {plan} are being installed already", plan=plan.name)
        where = {row.site_id for row in chosen}
        site_id = where.pop() if len(where) == 1 else plan.active_site_id
        work = operations.start(uow, core.clock, KIND, (SUBJECT, plan.id), site_id, DEADLINE_S)
        work.scratch = {SERVERS: [row.id for row in chosen]}
        uow.flush()
        operation_id = work.id
        uow.after_commit(lambda: core.bell.ring(operation_id))
        names = [f"{row.site_id}/{row.name}" for row in chosen]
        core.audit.record(uow, actor.user_id, "plan.agents", SUBJECT, plan.id,
                          {"plan": plan.name, "servers": names}, actor.trace_id)  # fmt: skip
        return _told(plan, work, names)


def _is_meant(document: Document, wanted: Wanted, row: Resource) -> bool:
    part = part_of(document, row)
    if wanted.servers or wanted.parts:
        is_named = any(is_called(row, name) for name in wanted.servers)
        return is_named or (part is not None and part.name in wanted.parts)
    return part is not None and bool(part.writers)


def _unknown(document: Document, wanted: Wanted, rows: Sequence[Resource]) -> Iterator[Fault]:
    """What was named and is not there."""
    if wanted.site and wanted.site not in {document.home, document.recovery}:
        params = {"given": wanted.site[:60], "choices": f"{document.home}, {document.recovery}"}
        yield Fault("site", "unknown_word", "'{given}' is none of: {choices}", params)
        return
    for index, name in enumerate(wanted.parts):
        if name not in {part.name for part in document.parts}:
            yield Fault(f"parts[{index}]", "unknown_part", "there is no part '{given}'", {"given": name[:60]})
    for index, name in enumerate(wanted.servers):
        if not any(is_called(row, name) for row in rows):
            template = "'{given}' is no server of {system} that stands now"
            params = {"given": name[:60], "system": document.system}
            yield Fault(f"servers[{index}]", "unknown_server", template, params)


def _unfit(uow: UnitOfWork, document: Document, chosen: Sequence[Resource]) -> Iterator[Fault]:
    """Servers into which cloudctl does not come, or of which nobody said what writes there."""
    guests = {site: uow.need(Site, site).guests for site in {row.site_id for row in chosen}}
    for row in chosen:
        place, part = f"servers.{row.name}", part_of(document, row)
        if guests[row.site_id] == NONE:
            template, hint = "cloudctl does not come into servers at {site}", "guests in the topology"
            yield Fault(place, "not_let_in", template, {"site": row.site_id}, hint)
        if part is None:
            yield Fault(place, "no_part", "belongs to no part of the plan")
        elif part.serving is Serving.STATELESS:
            yield Fault(place, "stateless", "the part {part} keeps nothing: nothing there needs an agent",
                        {"part": part.name})  # fmt: skip
        elif not part.writers:
            template = "the plan does not say what writes on the servers of {part}"
            yield Fault(place, "no_writers", template, {"part": part.name}, "name its units: writers")


def _told(plan: ProtectionPlan, work: Operation, names: Sequence[str]) -> dict[str, Any]:
    return {"id": plan.id, "name": plan.name, "state": str(work.state), "operation_id": work.id,
            "servers": list(names)}  # fmt: skip
