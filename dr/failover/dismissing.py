"""A server that is gone for good: its agent counts no more, as a person says.

Until then nobody can say for its site that all writers stand still, since one of them never will.
"""

from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, Refused
from cloudctl.queries import failovers as reads
from dr.acting import path_of
from dr.failover.people import MIN_REASON, MOST_TEXT
from dr.failover.protocols import Voting


def dismiss(
    core: Core, actor: Actor, witness: Voting | None, plan: str, site: str, server: str, reason: str
) -> dict[str, Any]:
    """Take the agent of a server out of the vote of its plan. An agent that runs enrols itself again.

    Needs dr.run at the site. NotFound where the witness has no such agent; BadInput without a reason; Refused
    where there is no witness. While cloudctl still knows of the server, no other agent's word stands for it.
    """
    with core.store.read() as uow:
        row = reads.find_plan(uow, actor, plan)
        actor.must("dr.run", path_of(uow, row.system_id, site))
    if len(reason.strip()) < MIN_REASON:
        fault = Fault("reason", "too_short", "say in {least} characters or more why", {"least": MIN_REASON})
        raise BadInput("the input has faults", faults=[fault])
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    if server not in witness.servers(row.name, site):
        raise NotFound("{what} '{key}' does not exist", what="agent", key=f"{site}/{server}"[:100])
    with core.store.write() as uow:
        details = {"plan": row.name, "site": site, "server": server, "reason": reason.strip()[:MOST_TEXT]}
        core.audit.record(
            uow, actor.user_id, "witness.dismiss", "protection_plan", row.id, details, actor.trace_id
        )
    witness.dismiss(row.name, site, server)
    return {"id": f"agent/{row.name}/{server}", "name": server, "state": "dismissed", "plan": row.name,
            "site": site}  # fmt: skip
