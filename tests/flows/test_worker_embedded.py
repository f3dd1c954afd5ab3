"""The worker inside `serve`: bells are heard at once, lost ones cost a poll, nothing stops the polling."""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.exceptions import WorkerShutdown

from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.initialise import Wish, initialise
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import Operation
from cloudctl.operations import Engine, Run
from cloudctl.worker import QUEUE, Crew, QueueBell, Worker, open_queue, queue_problem
from tests.flows.tallying import Shop, Tally, open_shop

NEVER_S = 3600.0
NOBODY = "amqp://guest:guest@127.0.0.1:9//"  # the discard port: nobody listens


@pytest.fixture
def shop(home: Path) -> Iterator[Shop]:
    initialise(home, Wish())
    made = open_shop(home)
    yield made
    made.core.store.close()


def state_of(shop: Shop, operation_id: int) -> str:
    with shop.core.store.read() as uow:
        return uow.need(Operation, operation_id).state


def test_a_bell_wakes_the_worker_long_before_the_poll(shop: Shop) -> None:
    queue = open_queue(shop.core.settings)
    worker = Worker(shop, queue, poll_s=NEVER_S)
    worker.start()
    bell = QueueBell(queue)
    orders = {shop.order(bell) for _ in range(5)}
    assert shop.ended.all(orders)
    worker.stop()
    assert {state_of(shop, order) for order in orders} == {"done"}


def test_a_bell_that_nobody_rang_costs_one_poll(shop: Shop) -> None:
    worker = Worker(shop, open_queue(shop.core.settings), poll_s=0.05)
    worker.start()
    assert shop.ended.all({shop.order() for _ in range(5)})
    worker.stop()


def test_a_worker_that_is_stopped_before_it_listens_hears_nothing_after_that(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(shop, open_queue(shop.core.settings), poll_s=NEVER_S)
    is_asked = threading.Event()

    def ask_until_stopped(_queue: object) -> None:
        is_asked.set()
        worker._stopping.wait(10)

    monkeypatch.setattr("cloudctl.worker.queue_problem", ask_until_stopped)
    worker.start()
    assert is_asked.wait(10)
    worker.stop()
    assert not [one.name for one in worker._threads if one.is_alive()]


def test_a_listener_that_celery_has_ended_listens_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = open_queue(shop.core.settings)
    worker = Worker(shop, queue, poll_s=NEVER_S)
    really, ended = queue.WorkController, threading.Event()

    def end_the_first(**wanted: object) -> object:
        if not ended.is_set():
            ended.set()
            raise WorkerShutdown(0)
        return really(**wanted)

    monkeypatch.setattr("cloudctl.worker.RECONNECT_S", 0.05)
    monkeypatch.setattr(queue, "WorkController", end_the_first)
    worker.start()
    assert ended.wait(10)
    assert shop.ended.all({shop.order(QueueBell(queue))})
    worker.stop()


def test_a_message_carries_the_id_and_nothing_else(shop: Shop) -> None:
    queue = open_queue(shop.core.settings)
    bell = QueueBell(queue)
    with queue.connection_for_read() as connection, connection.channel() as channel:
        queue.amqp.queues[QUEUE].bind(channel).declare()
        bell.ring(4711)
        until = time.monotonic() + 10
        while (message := queue.amqp.queues[QUEUE].bind(channel).get()) is None:
            assert time.monotonic() < until
        message.ack()
    arguments, keywords, _embedded = json.loads(message.body)
    assert (arguments, keywords) == ([4711], {})
    assert message.properties["delivery_mode"] == 1, "it is not written to a disk"


def test_ringing_a_broker_that_is_not_there_makes_nobody_wait(shop: Shop) -> None:
    settings = Settings(home=shop.core.settings.home, installation="x", broker=NOBODY)
    bell = QueueBell(open_queue(settings))
    began = time.monotonic()
    for number in range(2000):
        bell.ring(number)
    assert time.monotonic() - began < 1
    assert "does not answer" in (queue_problem(open_queue(settings)) or "")


def test_polling_goes_on_without_a_broker(shop: Shop) -> None:
    settings = Settings(home=shop.core.settings.home, installation="x", broker=NOBODY)
    worker = Worker(shop, open_queue(settings), poll_s=0.05)
    worker.start()
    assert shop.ended.all({shop.order() for _ in range(3)})
    worker.stop()


class Stumbling(Engine):
    """Fails to look for work, once, in a way nobody foresaw."""

    stumbled = False

    def due(self, limit: int = 100) -> list[int]:
        if not self.stumbled:
            self.stumbled = True
            raise RuntimeError("nobody foresaw this")
        return super().due(limit)


def test_polling_goes_on_after_an_error_nobody_foresaw(shop: Shop) -> None:
    core = shop.core
    shop.engine = Stumbling(core.store, core.clock, {"tally": Tally()}, 30, shop.ended)
    worker = Worker(shop, open_queue(core.settings), poll_s=0.05)
    worker.start()
    assert shop.ended.all({shop.order()})
    worker.stop()


class Gated(Tally):
    """Waits inside a pass until told to go on; remembers how many were inside at once."""

    def __init__(self) -> None:
        super().__init__(passes=1)
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)

    def advance(self, run: Run) -> Outcome:
        self.entered.release()
        self.gate.wait(20)
        return super().advance(run)


def test_a_full_crew_leaves_the_row_to_others(home: Path) -> None:
    initialise(home, Wish())
    flow = Gated()
    shop = open_shop(home, flow)
    crew = Crew(shop.engine, size=2)
    first, second, third = (shop.order() for _ in range(3))
    assert crew.take(first)
    assert crew.take(second)
    assert not crew.take(third), "there is no room"
    assert crew.room() == 0
    assert not crew.take(first), "it is in hand already"
    flow.gate.set()
    assert shop.ended.all({first, second})
    assert crew.stop(10)
    assert not crew.take(third), "it has stopped"
    assert state_of(shop, third) == "queued"
    shop.core.store.close()


def test_stopping_waits_for_the_pass_in_hand_and_gives_the_operation_back(home: Path) -> None:
    initialise(home, Wish())
    flow = Gated()
    flow.passes = 2
    flow.pause_s = 0  # due again at once: whoever takes it next must not come too early
    shop = open_shop(home, flow)
    crew = Crew(shop.engine, size=2)
    order = shop.order()
    assert crew.take(order)
    assert flow.entered.acquire(timeout=10)
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(crew.stop(20)))
    stopping.start()
    flow.gate.set()
    stopping.join(20)
    assert stopped == [True]
    with shop.core.store.read() as uow:
        row = uow.need(Operation, order)
        assert (row.state, row.lease_owner, row.scratch) == ("running", None, {"done": 1})
    shop.core.store.close()
    again = open_shop(home)
    assert Crew(again.engine, size=1).take(order)
    assert again.ended.all({order})
    again.core.store.close()


def test_a_flow_that_waits_long_does_not_hold_a_place(home: Path) -> None:
    class Patient(Tally):
        def advance(self, run: Run) -> Outcome:
            outcome = super().advance(run)
            return Later(60.0) if isinstance(outcome, Later) else outcome

    initialise(home, Wish())
    shop = open_shop(home, Patient())
    crew = Crew(shop.engine, size=1)
    assert crew.take(shop.order())
    assert crew.stop(10)
    assert crew._busy == {}
    shop.core.store.close()


def test_housekeeping_runs_and_survives_its_own_errors(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudctl.worker.HOUSEKEEPING_S", 0.01)
    seen: list[Core] = []
    twice = threading.Event()

    def keep(core: Core) -> None:
        seen.append(core)
        if len(seen) > 1:
            twice.set()
        raise RuntimeError("nobody foresaw this")

    worker = Worker(shop, open_queue(shop.core.settings), keep, NEVER_S)
    worker.start()
    assert twice.wait(10)
    worker.stop()
    assert seen[0] is shop.core


def test_the_worker_takes_neither_stdout_nor_the_root_logger(shop: Shop) -> None:
    root = logging.getLogger()
    before = (sys.stdout, sys.stderr, list(root.handlers), root.level)
    queue = open_queue(shop.core.settings)
    worker = Worker(shop, queue, poll_s=NEVER_S)
    worker.start()
    assert shop.ended.all({shop.order(QueueBell(queue))})
    assert (sys.stdout, sys.stderr, list(root.handlers), root.level) == before
    worker.stop()
