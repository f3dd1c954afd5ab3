"""A plan whose people are steered by a name: what tests of shifts start from."""

from dataclasses import dataclass, field, replace
from typing import Any

from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Operation, ProtectionPlan, Shift, Traffic
from cloudctl.operations import Engine
from cloudctl.store import Store
from dr.plans.document import Document, Part, Serving, Steering, Way
from dr.traffic import acting, at_master
from dr.traffic.flow import ShiftPeople
from dr.traffic.job import named
from provisioning.drivers.fake_dns import FakeDns
from provisioning.drivers.fake_outside import FakeOutside
from tests.builders import a_person, a_province, an_actor

NAME = "app.gov.test."
ADDRESSES = {"city-1": ("10.2.0.1", "2001:db8:2::1"), "province": ("10.1.0.1", "2001:db8:1::1")}
AT_HOME = {"city-1": 0, "province": 100}
AT_CITY = {"city-1": 100, "province": 0}
WATCHED = {"watch": {"kind": "http", "path": "/health"}, "soak_s": 20, "flap_s": 0}
PLAN = "budget"


@dataclass
class Steered:
    """The world of a test."""

    core: Core
    clock: FrozenClock
    dns: FakeDns
    outside: FakeOutside = field(default_factory=FakeOutside)

    def who(self, user_id: str = "olga") -> Actor:
        return an_actor(self.core, user_id)

    def work(self, operation_id: int | None, store: Store | None = None) -> Operation:
        """Run an operation as a worker would, to its end."""
        assert operation_id is not None
        flow = ShiftPeople(self.dns, self.outside, replace(self.core.settings, poll_s=5.0))
        engine = Engine(store or self.core.store, self.clock, {"shift": flow}, self.core.settings.lease_s)
        for _ in range(100):
            if not engine.run(operation_id) or self.operation(operation_id).ended_at is not None:
                break
            self.clock.advance(6)
        return self.operation(operation_id)

    def work_a_little(self, operation_id: int) -> None:
        """One step of the shift, or one look at it, as a worker would that is then taken away."""
        flow = ShiftPeople(self.dns, self.outside, replace(self.core.settings, poll_s=5.0))
        engine = Engine(self.core.store, self.clock, {"shift": flow}, self.core.settings.lease_s)
        engine.stop()
        assert engine.run(operation_id)
        self.clock.advance(6)

    def operation(self, operation_id: int) -> Operation:
        with self.core.store.read() as uow:
            return uow.need(Operation, operation_id)

    def begin(self, **wanted: Any) -> dict[str, Any]:
        return acting.shift(self.core, self.who(), self.dns, NAME, acting.Wanted(**wanted))

    def shift(self, shift_id: int) -> Shift:
        with self.core.store.read() as uow:
            return uow.need(Shift, shift_id)

    def last_shift(self) -> Shift:
        with self.core.store.read() as uow:
            return uow.all(Shift, order_by=[Shift.id.desc()])[0]

    def traffic(self) -> Traffic:
        with self.core.store.read() as uow:
            [row] = uow.all(Traffic)
        return row

    def at_master(self) -> dict[str, int] | None:
        """The shares that the name service has; an assertion when it has what is not cloudctl's."""
        standing = at_master.read(self.dns, named(self.traffic(), self.dns.gives_shares(NAME)))
        assert not standing.strange, standing.strange
        return None if standing.weights is None else dict(standing.weights)

    def put(self, limits: dict[str, Any] | None = None) -> None:
        """The name of the plan, in the name service at its home."""
        acting.apply(self.core, self.who("dave"), self.dns, PLAN, WATCHED if limits is None else limits)
        assert self.work(self.last_shift().operation_id).state == "done"


def a_document(serving: Serving = Serving.STATELESS, **changes: Any) -> Document:
    """A plan of one part."""
    values: dict[str, Any] = {
        "name": PLAN,
        "system": "gx-finance-budget",
        "home": "province",
        "recovery": "city-1",
        "rpo_s": 3600,
        "rto_s": 3600,
        "parts": (Part("web", ("vm1",), way=Way.APPLICATION, serving=serving),),
        "steering": Steering(NAME, 20, ADDRESSES),
    }
    return Document(**{**values, **changes})


def a_plan(core: Core, document: Document) -> None:
    """The plan as a row, or its newest text."""
    with core.store.write() as uow:
        row = uow.first(ProtectionPlan, ProtectionPlan.name == document.name)
        if row is None:
            row = ProtectionPlan(
                name=document.name, system_id=document.system, state="needs_verification",
                home_site_id=document.home, recovery_site_id=document.recovery,
                active_site_id=document.home, created_at=core.clock.now(), created_by="dave",
                document=document.as_json(), sha256=document.sha256,
            )  # fmt: skip
            uow.add(row)
        row.document, row.sha256 = document.as_json(), document.sha256


def steer(
    core: Core, clock: FrozenClock, *, gives_shares: bool = True, serving: Serving = Serving.STATELESS
) -> Steered:
    """A province with a plan, its duty officer `olga`, and nothing yet in the name service."""
    a_province(core)
    return steer_in(core, clock, gives_shares=gives_shares, serving=serving)


def steer_in(
    core: Core, clock: FrozenClock, *, gives_shares: bool = True, serving: Serving = Serving.STATELESS
) -> Steered:
    """The same in a province that is there."""
    a_person(core, "olga", Role.DR_OFFICER, INSTALLATION)
    a_plan(core, a_document(serving))
    return Steered(core, clock, FakeDns(gives_shares=gives_shares))
