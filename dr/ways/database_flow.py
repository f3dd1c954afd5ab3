"""The flow that makes the databases of a plan follow each other.

One writes where the system runs, one follows at the other site. Each step looks first, and each play may be
run again, so whoever takes over goes on from there. A database whose stream runs is left alone.
"""

from cloudctl.errors import CloudctlError, Refused
from cloudctl.lifecycle import Done, Failed, Later, Outcome
from cloudctl.models import Operation, ProtectionPlan
from cloudctl.operations import Run
from dr.failover.protocols import Voting
from dr.plans import copies
from dr.plans import databases as in_plans
from dr.plans.document import Part, of_json
from dr.ways import databases, streaming
from dr.ways.databases import Databases, Pair

KIND, SUBJECT = "databases", "protection_plan"  # of the operation
DEADLINE_S = 24 * 3600
ANEW = "is_anew"  # in the scratch: what the other one wrote gives way, and is kept beside


class SetUpDatabases:
    """Flow of the operations that set up the stream of a plan's databases."""

    def __init__(self, asked: Databases, witness: Voting | None) -> None:
        self._asked = asked
        self._witness = witness  # None: this installation has none

    def advance(self, run: Run) -> Outcome:
        with run.store.read() as uow:
            operation = uow.need(Operation, run.operation_id)
            plan = uow.need(ProtectionPlan, int(operation.subject_id))
            document, source = of_json(plan.document), plan.active_site_id
            found = [(part, *databases.find(uow, document, part)) for part in in_plans.of(document).values()]
        faults = [fault for _part, _pair, wrong in found for fault in wrong]
        if faults:
            raise Refused("the databases of {plan} cannot be set up", plan=document.name, faults=faults)
        target = document.recovery if source == document.home else document.home
        for part, pair, _wrong in found:
            wait = self._set_up(run, part, pair, source, target)
            if wait is not None:
                return wait
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """It stays as far as it came: nothing of it harms, and it may be begun again."""
        with run.write() as (uow, _operation):
            run.journal(uow, "set up", "failed", error.text())
        return Failed(error)

    def _set_up(self, run: Run, part: Part, pair: Pair, source: str, target: str) -> Later | None:
        seen = self._asked.look(pair)
        if not streaming.is_set_up(seen, source, target):
            there = seen.get(target)
            more: dict[str, str] = {}
            if isinstance(there, streaming.Told) and there.is_primary and self._is_same(seen, source):
                more = self._kept(run, part, source, target)
            for site, playbook, told in ((source, databases.PRIMARY, {}), (target, databases.STANDBY, more)):
                run.must_hold()
                self._asked.turn(pair, site, playbook, run.stopping.is_set, **told)
                with run.write() as (uow, _operation):
                    run.journal(uow, f"{part.name} at {site}", "done", playbook)
            seen = self._asked.look(pair)
        now = streaming.copy_of(seen, source, target, run.clock.now())
        if not now.is_streaming:
            return Later(2.0, f"{part.name} to follow: {now.problem}")
        with run.write() as (uow, operation):
            plan = uow.for_update(ProtectionPlan, int(operation.subject_id))
            plan.copies = {**(plan.copies or {}), part.name: copies.after(None, now).as_json()}
            run.journal(uow, part.name, "done", f"{target} follows {source}")
        return None

    def _kept(self, run: Run, part: Part, source: str, target: str) -> dict[str, str]:
        """The one at the other site may have written what nobody else has: only a person says that it gives
        way, and then all of it is kept beside. Databases of servers made of one image look so as well.

        What this installation takes for the site of the system may be old: the witness has the last word.
        """
        with run.store.read() as uow:
            operation = uow.need(Operation, run.operation_id)
            plan = uow.need(ProtectionPlan, int(operation.subject_id)).name
            is_anew = bool((operation.scratch or {}).get(ANEW))
        entry = self._witness.read(plan) if self._witness is not None else None
        if entry is not None and not (entry.is_open and entry.holder == source):
            raise Refused("the witness says that {site} holds {plan}", site=entry.holder, plan=plan)
        if not is_anew:
            hint = "if the one at {site} is to give way, and keep what it has beside: --anew"
            raise Refused("both databases of {part} write, and are or were one", part=part.name, site=target,
                          hint=hint)  # fmt: skip
        return {"standby_keep": f"setup-{run.operation_id}"}

    @staticmethod
    def _is_same(seen: dict[str, streaming.Told | str], source: str) -> bool:
        systems = {one.system for one in seen.values() if isinstance(one, streaming.Told)}
        return len(systems) == 1 and isinstance(seen.get(source), streaming.Told)
