"""One of many processes that hammer the ledger with random acts of all the people of a province.

Counts how often each act went through and how often each refusal was met. Whatever is not a refusal that
people could meet is an error and ends it.
"""

import random
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cloudctl.actors import Actor
from cloudctl.amounts import Amounts
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, OverQuota, SecondPersonNeeded
from cloudctl.lifecycle import OperationState, RequestState, ResourceState
from cloudctl.models import Operation, Project, Resource, ServiceRequest
from cloudctl.store import UnitOfWork
from tenants import approvals, ledger, requests, settlement
from tests.builders import PEOPLE, a_county_form, a_vm_form, an_actor
from tests.conftest import make_core

WAITING = (RequestState.AWAITING_APPROVAL, RequestState.RETURNED)
WORKING = (RequestState.BUILDING, RequestState.CANCELLING)
APPROVERS = {
    "department:gx-finance": "bob",
    "department:nn-qingxiu-edu": "grace",
    "site:province": "carol",
    "site:city-1": "heidi",
    "division:450103": "frank",
}


class Hammer:
    """Does one random thing after the other."""

    def __init__(self, core: Core, seed: int) -> None:
        self.core = core
        self.random = random.Random(seed)
        self.people: dict[str, Actor] = {name: an_actor(core, name) for name, *_ in PEOPLE}
        self.done: Counter[str] = Counter()
        self.acts: list[Callable[[], None]] = (
            [self.submit] * 10
            + [self.approve] * 9
            + [self.send_back, self.reject, self.resubmit, self.withdraw, self.cancel] * 2
            + [self.end_operation] * 6
            + [self.give_back, self.guarantee, self.repair]
        )

    def run(self, rounds: int) -> Counter[str]:
        for _ in range(rounds):
            act = self.random.choice(self.acts)
            try:
                act()
                self.done[act.__name__] += 1
            except (OverQuota, Conflict, NotAllowed, SecondPersonNeeded) as refusal:
                assert not isinstance(refusal.__cause__, Exception), (
                    refusal
                )  # no constraint stood in for a guard
                self.done[refusal.code] += 1
            except BadInput as error:
                assert act == self.guarantee, error.faults
                self.done[error.code] += 1
        return self.done

    def submit(self) -> None:
        if self.random.random() < 0.7:
            system = self.random.choice(["gx-finance-budget", "gx-finance-assets"])
            form = a_vm_form(system=system, count=self.random.randint(1, 3))
            requests.submit(self.core, self.people["alice"], form)
        else:
            form = a_county_form(count=self.random.randint(1, 2))
            requests.submit(self.core, self.people["erin"], form)

    def approve(self) -> None:
        if (request := self.one(RequestState.AWAITING_APPROVAL)) is not None:
            approvals.approve(self.core, self.approver(request), request.id)

    def send_back(self) -> None:
        if (request := self.one(RequestState.AWAITING_APPROVAL)) is not None:
            approvals.return_(self.core, self.approver(request), request.id, "smaller, please")

    def reject(self) -> None:
        if (request := self.one(RequestState.AWAITING_APPROVAL)) is not None:
            approvals.reject(self.core, self.approver(request), request.id, "no")

    def resubmit(self) -> None:
        if (request := self.one(RequestState.RETURNED)) is None:
            return
        is_county = request.department_id == "nn-qingxiu-edu"
        system = self.random.choice(["gx-finance-budget", "gx-finance-assets"])
        form = a_county_form() if is_county else a_vm_form(system=system, count=self.random.randint(1, 3))
        requests.resubmit(self.core, self.people[request.requested_by], request.id, form)

    def withdraw(self) -> None:
        if (request := self.one(*WAITING)) is not None:
            requests.withdraw(self.core, self.people[request.requested_by], request.id)

    def cancel(self) -> None:
        if (request := self.one(RequestState.AWAITING_APPROVAL, RequestState.BUILDING)) is not None:
            requests.cancel(self.core, self.people[request.requested_by], request.id)

    def end_operation(self) -> None:
        """What the engine does: the operation first, then all that follows, in one transaction."""
        if (request := self.one(*WORKING)) is not None:
            end(self.core, request, is_built=self.random.random() < 0.5)

    def give_back(self) -> None:
        """What a sync does when things are gone: rows first, then the ledger, projects in any order."""
        with self.core.store.write() as uow:
            rows = uow.all(Resource, Resource.state == ResourceState.ACTIVE, limit=6)
            give_back(uow, [row.id for row in self.random.sample(rows, len(rows))])

    def guarantee(self) -> None:
        scope = self.random.choice(["department:nn-qingxiu-edu", "project:gx-finance-budget/prod@province"])
        n = self.random.randint(0, 2)
        ledger.set_limit(self.core, self.people["dave"], scope, "*", "instances", None, n)

    def repair(self) -> None:
        assert ledger.repair(self.core, self.people["dave"]) == []

    def approver(self, request: ServiceRequest) -> Actor:
        stage = request.stages[request.stage]
        return self.people[APPROVERS[f"{stage['scope_kind']}:{stage['scope_id']}"]]

    def one(self, *states: RequestState) -> ServiceRequest | None:
        """A random request in one of these states; it may be elsewhere a moment later."""
        with self.core.store.read() as uow:
            found = uow.all(ServiceRequest, ServiceRequest.state.in_(states))
        return self.random.choice(found) if found else None


def end(core: Core, request: ServiceRequest, is_built: bool) -> None:
    """End the request's operation, with or without the servers it asked for."""
    with core.store.write() as uow:
        running = (Operation.id == request.operation_id, Operation.state == OperationState.QUEUED)
        state = OperationState.DONE if is_built else OperationState.FAILED
        if not uow.update(Operation, *running, state=state):
            return
        if is_built:
            uow.add(
                Resource(
                    id=f"r{request.id}", kind="server", name=f"r{request.id}", site_id=request.site_id,
                    project_id=request.project_id, request_id=request.id, state=ResourceState.ACTIVE,
                    amounts=request.needed, created_at=core.clock.now(),
                )
            )  # fmt: skip
        settlement.settle(core)(uow, uow.need(Operation, request.operation_id))


def give_back(uow: UnitOfWork, ids: list[str]) -> None:
    """Release the resources and count their projects."""
    rows = uow.all(Resource, Resource.id.in_(ids))
    projects = list(dict.fromkeys(row.project_id for row in rows))
    uow.update(Resource, Resource.id.in_(ids), state=ResourceState.RELEASED)
    for project in projects:
        ledger.count(uow, uow.need(Project, project), Amounts())


def hammer(home: Path, url: str, seed: int, rounds: int) -> Counter[str] | str:
    """Hammer in a process of its own; what went through, or how it ended."""
    core = make_core(home, url)
    try:
        return Hammer(core, seed).run(rounds)
    except BaseException:
        return traceback.format_exc()
    finally:
        core.store.close()
