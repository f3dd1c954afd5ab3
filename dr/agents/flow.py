"""The flow that brings agents to the servers of a plan, one after the other.

What came of each is written down before the next one; a play that was cut off by a crash is run again, which
changes nothing where it had come to its end. One server that cannot be reached keeps no other waiting.
"""

from collections.abc import Mapping

from cloudctl.errors import CloudctlError, GuestNotReady
from cloudctl.lifecycle import Done, Failed, Later, Outcome, ResourceState
from cloudctl.models import Operation, ProtectionPlan, Resource
from cloudctl.operations import Run
from dr.agents.asking import FOUND, SERVERS
from dr.agents.bringing import Bringing, part_of
from dr.plans.document import Document, of_json


class InstallAgents:
    """Flow of the operations that `dr witness install` begins."""

    def __init__(self, bringing: Bringing) -> None:
        self._bringing = bringing

    def advance(self, run: Run) -> Outcome:
        with run.store.read() as uow:
            operation = uow.need(Operation, run.operation_id)
            plan = uow.need(ProtectionPlan, int(operation.subject_id))
            rows = [uow.need(Resource, one) for one in operation.scratch[SERVERS]]
            found: dict[str, str] = dict(operation.scratch.get(FOUND) or {})
        document = of_json(plan.document)
        for row in rows:
            if row.id not in found:
                run.must_hold()
                why = self._bring(run, document, row)
                if run.stopping.is_set():
                    return Later(0, "the worker is being stopped")
                found[row.id] = why
                self._note(run, row, found)
        bad = {row.name: found[row.id] for row in rows if found[row.id]}
        return Failed(_not_ready(bad, len(rows))) if bad else Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """Agents that are there stay: they do no harm, and are wanted all the same."""
        with run.write() as (uow, _operation):
            run.journal(uow, "agent", "failed", error.text())
        return Failed(error)

    # -- the pieces

    def _bring(self, run: Run, document: Document, row: Resource) -> str:
        part = part_of(document, row)
        if part is None or not part.writers or row.state != ResourceState.ACTIVE:
            return "the plan does not have it any more"
        with run.write() as (_uow, operation):
            operation.why = f"the agent of {row.name}"
        return self._bringing.bring(document, part, row, run.stopping.is_set)

    def _note(self, run: Run, row: Resource, found: Mapping[str, str]) -> None:
        why = found[row.id]
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, FOUND: dict(found)}
            run.journal(uow, f"agent {row.name}"[:60], "failed" if why else "done", why)


def _not_ready(bad: Mapping[str, str], total: int) -> GuestNotReady:
    why = "; ".join(f"{name}: {one}" for name, one in sorted(bad.items()))
    return GuestNotReady(
        "{count} of {total} servers are not ready: {why}", count=len(bad), total=total, why=why
    )
