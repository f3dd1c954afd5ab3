"""Everything that can happen to requests and limits, in any order: the ledger stays right."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.errors import BadInput, OverQuota
from cloudctl.lifecycle import OperationState, RequestState, ResourceState
from cloudctl.models import Hold, Operation, Project, QuotaRow, Resource, ServiceRequest
from tenants import approvals, ledger, requests, settlement
from tests.builders import (
    a_county_form,
    a_project,
    a_province,
    a_resource,
    a_vm_form,
    an_actor,
)
from tests.conftest import make_core

OPEN = (
    RequestState.AWAITING_APPROVAL,
    RequestState.RETURNED,
    RequestState.BUILDING,
    RequestState.CANCELLING,
)
APPROVERS = {
    "department:gx-finance": "bob",
    "department:nn-qingxiu-edu": "grace",
    "site:province": "carol",
    "site:city-1": "heidi",
    "division:450103": "frank",
}
SCOPES = (
    "division:450000",
    "division:450100",
    "division:450103",
    "department:gx-finance",
    "department:nn-qingxiu-edu",
    "project:gx-finance-budget/prod@province",
)
forms = st.builds(
    lambda make, system, count, size: make(
        **({"system": system} if make is a_vm_form else {}),
        count=count,
        data_total=None,
        data_volumes_per_vm=None,
        data_volumes=[f"{size}GiB"] if size else None,
    ),
    st.sampled_from([a_vm_form, a_vm_form, a_county_form]),
    st.sampled_from(["gx-finance-budget", "gx-finance-assets"]),
    st.integers(1, 4),
    st.integers(0, 60),
)
kinds = st.sampled_from([Kind.INSTANCES, Kind.VCPUS, Kind.VOLUME_GIB])


class Province(RuleBasedStateMachine):
    """Submit, decide, build, fail, release, adopt and re-limit at random."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=self.template.parent)) / "home"
        shutil.copytree(self.template, self.home)
        self.clock = FrozenClock()
        self.core = make_core(self.home, clock=self.clock)
        self.people = {
            name: an_actor(self.core, name) for name in [*APPROVERS.values(), "alice", "erin", "dave"]
        }
        self.over: dict[int, int] = {}
        self.may_be_over = False

    def teardown(self) -> None:
        assert self.core.audit.verify(self.core.store).is_intact
        self.core.store.close()
        shutil.rmtree(self.home.parent)

    # -- what people do

    @initialize(limit=st.integers(2, 10), site=st.sampled_from(["*", "province"]))
    def start(self, limit: int, site: str) -> None:
        ledger.set_limit(self.core, self.people["dave"], "division:450000", site, Kind.INSTANCES, limit)

    @rule(form=forms)
    def submit(self, form: dict[str, Any]) -> None:
        who = self.people["erin" if form["payer"] == "nn-qingxiu-edu" else "alice"]
        decision = requests.preview(self.core, who, form)
        try:
            requests.submit(self.core, who, form)
            assert not decision.shortages
        except OverQuota:
            assert decision.shortages
            if decision.nearest_form:
                assert not requests.preview(self.core, who, decision.nearest_form).shortages

    @rule(pick=st.integers(0, 99), verdict=st.sampled_from(["approve"] * 4 + ["return", "reject"]))
    def decide(self, pick: int, verdict: str) -> None:
        request = self.one(pick, RequestState.AWAITING_APPROVAL)
        if request is None:
            return
        stage = request.stages[request.stage]
        actor = self.people[APPROVERS[f"{stage['scope_kind']}:{stage['scope_id']}"]]
        act = {"approve": approvals.approve, "return": approvals.return_, "reject": approvals.reject}[verdict]
        try:
            act(self.core, actor, request.id, "because")
        except OverQuota:
            assert any(self.over.values())

    @rule(pick=st.integers(0, 99), form=forms)
    def resubmit(self, pick: int, form: dict[str, Any]) -> None:
        request = self.one(pick, RequestState.RETURNED, kind="vm")
        if request is None:
            return
        if request.department_id == "nn-qingxiu-edu":
            form = a_county_form(count=form["count"])
        elif form["payer"] == "nn-qingxiu-edu":
            form = a_vm_form(count=form["count"])
        try:
            requests.resubmit(self.core, self.people[request.requested_by], request.id, form)
        except OverQuota as error:
            assert error.faults

    @rule(pick=st.integers(0, 99), act=st.sampled_from(["withdraw", "cancel"]))
    def take_back(self, pick: int, act: str) -> None:
        states = {"withdraw": (RequestState.AWAITING_APPROVAL, RequestState.RETURNED),
                  "cancel": (RequestState.AWAITING_APPROVAL, RequestState.BUILDING)}[act]  # fmt: skip
        request = self.one(pick, *states)
        if request is not None:
            use_case = requests.withdraw if act == "withdraw" else requests.cancel
            use_case(self.core, self.people[request.requested_by], request.id)

    @rule(days=st.sampled_from([1, 20, 31]))
    def time_passes(self, days: int) -> None:
        self.clock.advance(days * 86400)
        requests.expire_due(self.core)

    @rule(pick=st.integers(0, 99), volumes=st.booleans())
    def release(self, pick: int, volumes: bool) -> None:
        with self.core.store.read() as uow:
            servers = uow.all(Resource, Resource.state == ResourceState.ACTIVE, order_by=[Resource.id])
        if not servers:
            return
        server = servers[pick % len(servers)]
        who = self.people["erin" if server.department_id == "nn-qingxiu-edu" else "alice"]
        form = {"kind": "release", "resources": [server.id], "with_volumes": volumes}
        try:
            requests.submit(self.core, who, form)
        except BadInput as error:
            assert [fault.code for fault in error.faults] == ["already_asked"]

    # -- what the clouds do

    @rule(pick=st.integers(0, 99), is_built=st.booleans(), left=st.booleans())
    def operation_ends(self, pick: int, is_built: bool, left: bool) -> None:
        request = self.one(pick, RequestState.BUILDING, RequestState.CANCELLING)
        if request is None:
            return
        with self.core.store.write() as uow:
            operation = uow.need(Operation, request.operation_id)
            operation.state = OperationState.DONE if is_built else OperationState.FAILED
            operation.error_code = None if is_built else "build_failed"
            if request.kind == "release":
                if is_built:
                    uow.update(
                        Resource, Resource.id.in_(request.draft["resources"]), state=ResourceState.RELEASED
                    )
            elif is_built or left:
                self.make(uow, request, len(request.draft["servers"]) if is_built else 1)
            settlement.settle(self.core)(uow, uow.need(Operation, request.operation_id))

    def make(self, uow: Any, request: ServiceRequest, count: int) -> None:
        share = len(request.draft["servers"])
        one = {kind: n // share for kind, n in request.needed.items()}
        for number in range(count):
            uow.add(
                Resource(
                    id=f"r{request.id}-{number}", kind="server", name=f"r{request.id}-{number}",
                    site_id=request.site_id, project_id=request.project_id, system_id=request.system_id,
                    department_id=request.department_id, request_id=request.id, state=ResourceState.ACTIVE,
                    amounts=one, created_at=self.clock.now(),
                )
            )  # fmt: skip

    @rule(vcpus=st.integers(1, 6))
    def adopt(self, vcpus: int) -> None:
        self.may_be_over = True
        key = a_project(self.core, "gx-finance-assets")
        a_resource(self.core, key, {"instances": 1, "vcpus": vcpus}, origin="adopted")
        with self.core.store.write() as uow:
            ledger.count(uow, uow.need(Project, key), Amounts({Kind.VCPUS: vcpus}))

    # -- what the province does

    @rule(
        scope=st.sampled_from(SCOPES),
        site=st.sampled_from(["*", "province", "city-1"]),
        kind=kinds,
        limit=st.none() | st.integers(0, 20),
        guarantee=st.integers(0, 4),
    )
    def set_limit(self, scope: str, site: str, kind: Kind, limit: int | None, guarantee: int) -> None:
        self.may_be_over = True
        try:
            ledger.set_limit(self.core, self.people["dave"], scope, site, kind, limit, guarantee)
        except (BadInput, OverQuota) as error:
            assert error.faults

    # -- what must always be so

    @invariant()
    def counters_are_what_holds_and_resources_make_them(self) -> None:
        assert ledger.drift(self.core) == []

    @invariant()
    def no_grant_of_ours_is_over_a_limit(self) -> None:
        with self.core.store.read() as uow:
            rows = uow.all(QuotaRow)
        now = {row.id: max(0, row.load - row.limit) if row.limit is not None else 0 for row in rows}
        grown = [key for key, over in now.items() if over > self.over.get(key, 0)]
        assert self.may_be_over or not grown
        self.over, self.may_be_over = now, False

    @invariant()
    def only_open_requests_hold(self) -> None:
        with self.core.store.read() as uow:
            holding = set(uow.column(Hold.request_id, Hold.state == "held"))
            states = set(uow.column(ServiceRequest.state, ServiceRequest.id.in_(holding)))
            held = sum(uow.column(QuotaRow.held))
        assert states <= set(OPEN)
        assert bool(holding) == bool(held)

    def one(self, pick: int, *states: RequestState, kind: str | None = None) -> ServiceRequest | None:
        """One of the requests in these states, if there is any."""
        with self.core.store.read() as uow:
            kinds_wanted = [ServiceRequest.kind == kind] if kind else []
            found = uow.all(
                ServiceRequest, ServiceRequest.state.in_(states), *kinds_wanted, order_by=[ServiceRequest.id]
            )
        return found[pick % len(found)] if found else None


def run(tmp_path: Path, examples: int, steps: int) -> None:
    template = tmp_path / "template"
    template.mkdir()
    core = make_core(template)
    a_province(core)
    core.store.close()
    machine = type("ProvinceHere", (Province,), {"template": template})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=checks,
        database=None,
    )
    run_state_machine_as_test(machine, settings=profile)


def test_the_ledger_stays_right_whatever_happens(tmp_path: Path) -> None:
    run(tmp_path, examples=12, steps=25)


@pytest.mark.soak
def test_the_ledger_stays_right_for_a_long_time(tmp_path: Path) -> None:
    run(tmp_path, examples=600, steps=60)
