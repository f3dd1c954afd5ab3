"""The real flow under whatever may happen: cuts, dead and hanging agents, dying workers, two controllers.

What docs/model/failover.pml says of the protocol is held here of the code: one writer, nothing promoted
without a proof or twice in an epoch, nothing written at the old site after the last copy of a planned move.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import FailoverState
from cloudctl.models import Failover, Operation, ProtectionPlan
from dr.failover import deciding
from dr.failover.job import ENDED, PLANNED, UNPLANNED
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.moving import CITY, PLAN, PROVINCE, THIRD, Replicated, World, a_world
from tests.flows.test_failover_crash import Watched

SITES = (PROVINCE, CITY)
sites = st.sampled_from(SITES)
_OVER = [one.value for one in (*ENDED, FailoverState.SHIFTED)]


class Moves(RuleBasedStateMachine):
    """Two controllers with databases of their own, one witness, an agent at each site."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.world: World = a_world(Path(self._folder.name), sites=SITES)
        self.world.patience = 25

    @initialize(site=st.just(CITY), kind=st.sampled_from((PLANNED, UNPLANNED)))
    def begin(self, site: str, kind: str) -> None:
        """A move is under way from the first step on."""
        self.world.begin(kind, site)

    def teardown(self) -> None:
        self.world.close()
        self._folder.cleanup()

    # -- people

    @rule(site=sites, kind=st.sampled_from((PLANNED, UNPLANNED)))
    def ask(self, site: str, kind: str) -> None:
        """Somebody wants it here; what the register says has been told to this site."""
        core = self.world.cores[site]
        try:
            entry = self.world.witness.read(PLAN)
        except CloudctlError:
            return
        assert entry is not None
        with core.store.write() as uow:
            [plan] = uow.all(ProtectionPlan)
            plan.active_site_id, plan.epoch = entry.last, entry.epoch
            for row in uow.all(Failover, Failover.state == FailoverState.SHIFTED.value):
                row.state = FailoverState.COMMITTED
        try:
            self.world.begin(kind, site)
        except CloudctlError:
            return  # it moves already, runs here, or no witness answers

    @rule(site=sites, odds=st.integers(0, 3))
    def abort(self, site: str, odds: int) -> None:
        """Whoever asked thinks better of it, now and then."""
        for row in self._open(site) if odds == 0 else ():
            try:
                deciding.abort(self.world.cores[site], self.world.actor(site, "olga"), row.id, "enough")
            except CloudctlError:
                continue

    # -- workers

    @rule(at=st.sampled_from((2, 5, 12, 25, 40, 60)))
    def work(self, at: int) -> None:
        """Each site's worker goes on with what is open there, and dies at some point, or waits in vain."""
        for site in SITES:
            for row in self._open(site):
                if row.operation_id is not None:
                    self._run(site, row.operation_id, at)

    @rule()
    def work_in_peace(self) -> None:
        """The same, and the workers live."""
        self.work(1_000_000)

    # -- the world

    @rule()
    def mend(self) -> None:
        """Everything that was broken is whole."""
        for place in (*SITES, THIRD):
            self.world.witness.join(place)
        for agent in self.world.agents.values():
            agent.is_hung = agent.is_slow = agent.is_down = False

    @rule(seconds=st.sampled_from((1, 3, 10, 31)))
    def wait(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(place=st.sampled_from((*SITES, THIRD)), is_cut=st.booleans())
    def cut(self, place: str, is_cut: bool) -> None:
        (self.world.witness.cut if is_cut else self.world.witness.join)(place)

    @rule(site=sites, is_hung=st.booleans(), is_slow=st.booleans())
    def hang(self, site: str, is_hung: bool, is_slow: bool) -> None:
        agent = self.world.agents[site]
        agent.is_hung, agent.is_slow = is_hung, is_slow

    @rule(site=sites, is_down=st.booleans())
    def fall(self, site: str, is_down: bool) -> None:
        agent = self.world.agents[site]
        agent.is_down, agent.lease_until, agent.late = is_down, 0.0 if is_down else agent.lease_until, None

    # -- what always holds

    @invariant()
    def one_writer(self) -> None:
        assert not self.world.overlaps

    @invariant()
    def one_promotion_for_each_epoch(self) -> None:
        made = [one for way in self.world.ways.values() for one in way.promoted]
        assert len({epoch for _, epoch in made}) == len(made)

    # -- the pieces

    def _open(self, site: str) -> list[Failover]:
        with self.world.cores[site].store.read() as uow:
            return uow.all(Failover, Failover.state.not_in(_OVER), order_by=[Failover.id])

    def _run(self, site: str, operation_id: int, at: int) -> None:
        world, executioner = self.world, Executioner(at)
        store = MortalStore(world.cores[site].settings.database_url, executioner)
        way: Replicated = world.ways[site]
        way.hook = lambda name: executioner.pass_point(f"in {name}")
        try:
            mortal = replace(world, witness=Watched(world.witness, executioner))
            mortal.engine(site, store).run(operation_id)
        except Killed:
            pass
        except AssertionError as error:
            if "never comes" not in str(error):
                raise
        finally:
            store.close()
            way.hook = lambda _name: None
        with world.cores[site].store.write() as uow:  # the next worker need not wait for the dead one's lease
            uow.update(Operation, Operation.id == operation_id, lease_until=None, next_at=world.clock.now())


def _profile(**more: Any) -> settings:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(deadline=None, suppress_health_check=quiet, **more)


def test_whatever_happens_one_site_writes_and_each_epoch_is_promoted_once() -> None:
    few = _profile(max_examples=6, stateful_step_count=15, derandomize=True, phases=[Phase.generate])
    run_state_machine_as_test(Moves, settings=few)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_whatever_happens_for_long_one_site_writes_and_each_epoch_is_promoted_once() -> None:
    run_state_machine_as_test(Moves, settings=_profile(max_examples=200, stateful_step_count=40))


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_lease_that_is_waited_for_too_short_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.failover.timing.wait_s", lambda _lease_s: 5.0)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Moves, settings=_profile(max_examples=100, stateful_step_count=40))
