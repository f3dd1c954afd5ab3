"""How long a worker may believe that it holds an operation."""

from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import LeaseLost
from cloudctl.lifecycle import Done, Outcome
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from tests.flows.test_engine import Scripted, an_engine, an_operation, row


def test_a_lease_is_over_by_the_time_that_passed_though_somebody_set_the_clock_back(
    core: Core, clock: FrozenClock
) -> None:
    def frozen(run: Run) -> Outcome:
        clock.advance(31)
        clock.set_back(60)
        with pytest.raises(LeaseLost):
            run.must_hold()
        return Done()

    operation_id = an_operation(core)
    an_engine(core, Scripted([frozen])).run(operation_id)
    assert row(core, operation_id).state == "done"


def test_a_lease_counts_from_before_it_was_written(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renew_slowly(run: Run) -> Outcome:
        with monkeypatch.context() as slow:
            update = UnitOfWork.update

            def late(uow: UnitOfWork, *given: Any, **values: Any) -> int:
                written = update(uow, *given, **values)
                clock.advance(31)
                return written

            slow.setattr(UnitOfWork, "update", late)
            assert run.renew()
        with pytest.raises(LeaseLost):
            run.must_hold()
        return Done()

    operation_id = an_operation(core)
    an_engine(core, Scripted([renew_slowly])).run(operation_id)
    assert row(core, operation_id).state == "done"
