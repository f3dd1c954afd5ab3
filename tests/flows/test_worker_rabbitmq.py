"""Workers over RabbitMQ: bells through a queue, a broker that dies, two processes and one kill."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from cloudctl.config import FILE_NAME
from cloudctl.initialise import Wish, initialise
from cloudctl.models import Operation, Step
from cloudctl.worker import QUEUE, QueueBell, Worker, open_queue
from tests.flows.tallying import Shop, open_shop
from tests.rabbitmq import RabbitNode

pytestmark = pytest.mark.rabbitmq
ROOT = Path(__file__).resolve().parents[2]
NEVER_S = 3600.0
PASSES = 3


def a_home(home: Path, broker: RabbitNode, database: str = "", lease_s: int = 30) -> Path:
    initialise(home, Wish(database=database, broker=broker.url))
    settings = home / FILE_NAME
    settings.write_text(settings.read_text() + f"lease_s: {lease_s}\ncloud_timeout_s: {lease_s / 2}\n")
    return home


def until(holds: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Wait for something that another process does, by looking again and again."""
    import threading
    import time

    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"waited in vain until {what}"
        threading.Event().wait(0.05)


@contextmanager
def working(shop: Shop, queue: Celery, poll_s: float = NEVER_S) -> Iterator[None]:
    """A worker of this process, gone with the block: it would hear the bells of the next test."""
    worker = Worker(shop, queue, poll_s=poll_s)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        shop.core.store.close()


def test_bells_are_heard_through_a_classic_queue(home: Path, rabbitmq: RabbitNode) -> None:
    shop = open_shop(a_home(home, rabbitmq))
    queue = open_queue(shop.core.settings)
    bell = QueueBell(queue)
    with working(shop, queue):
        assert shop.ended.all({shop.order(bell) for _ in range(5)}, within_s=40)
        assert rabbitmq.queues() == {QUEUE: "classic"}


def test_a_broker_that_dies_stops_neither_polling_nor_the_next_bell(home: Path, rabbitmq: RabbitNode) -> None:
    shop = open_shop(a_home(home, rabbitmq))
    queue = open_queue(shop.core.settings)
    bell = QueueBell(queue)
    with working(shop, queue, poll_s=0.2):
        assert shop.ended.all({shop.order(bell) for _ in range(3)})
        rabbitmq.kill()
        assert shop.ended.all({shop.order(bell) for _ in range(3)}), "polling went on"
    rabbitmq.start()
    late = open_shop(home)
    with working(late, open_queue(late.core.settings)):
        until(lambda: QUEUE in rabbitmq.queues(), "the queue is there again")
        assert late.ended.all({late.order(bell)}, within_s=40), "the same bell rings again"


def test_a_broker_killed_as_the_queue_had_just_been_made_is_heard(home: Path, rabbitmq: RabbitNode) -> None:
    shop = open_shop(a_home(home, rabbitmq))
    queue = open_queue(shop.core.settings)
    connection = queue.connection_for_write()
    rung = queue.amqp.queues[QUEUE].bind(connection.channel())
    rung.delete()
    rung.declare()
    rabbitmq.kill()
    connection.collect()  # nobody is there to say goodbye to
    rabbitmq.start()
    bell = QueueBell(queue)
    with working(shop, queue):
        until(lambda: shop.ended.all({shop.order(bell)}, within_s=1), "a bell is heard")


def test_a_running_worker_hears_again_when_the_broker_is_back(home: Path, rabbitmq: RabbitNode) -> None:
    shop = open_shop(a_home(home, rabbitmq))
    queue = open_queue(shop.core.settings)
    bell = QueueBell(queue)
    with working(shop, queue):
        assert shop.ended.all({shop.order(bell)}, within_s=40)
        rabbitmq.kill()
        rabbitmq.start()
        until(lambda: shop.ended.all({shop.order(bell)}, within_s=1), "a bell is heard")


@contextmanager
def a_process(home: Path, poll_s: float, pause_s: float) -> "Iterator[subprocess.Popen[str]]":
    """A worker process, working when this begins; killed at the end if it still lives."""
    command = [
        sys.executable,
        "-m",
        "tests.flows.tallying",
        str(home),
        str(poll_s),
        str(PASSES),
        str(pause_s),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def ended_orders(shop: Shop, orders: set[int]) -> int:
    with shop.core.store.read() as uow:
        return uow.count(Operation, Operation.id.in_(orders), Operation.state == "done")


@pytest.mark.postgres
def test_two_processes_share_the_work_and_one_that_is_killed_loses_none(
    home: Path, rabbitmq: RabbitNode, postgres_url: str
) -> None:
    shop = open_shop(a_home(home, rabbitmq, postgres_url, lease_s=3))
    bell = QueueBell(open_queue(shop.core.settings))
    with a_process(home, 0.5, 0.2) as first, a_process(home, 0.5, 0.2) as second:
        orders = {shop.order(bell if number % 3 else None) for number in range(40)}
        until(lambda: ended_orders(shop, orders) >= secrets.randbelow(15) + 1, "some have ended")
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: ended_orders(shop, orders) == len(orders), "all have ended")
        second.send_signal(signal.SIGTERM)
        assert second.wait(40) == 0
    with shop.core.store.read() as uow:
        rows = uow.all(Operation, Operation.id.in_(orders))
        steps = uow.all(Step, Step.operation_id.in_(orders))
    assert {row.scratch["done"] for row in rows} == {PASSES}, "each pass was counted once, whoever made it"
    assert len(steps) == PASSES * len(orders)
    assert {step.note for step in steps} == {str(first.pid), str(second.pid)}, "both worked"
    shop.core.store.close()


@pytest.mark.postgres
def test_the_worker_command_starts_over_rabbitmq_and_stops_when_told(
    home: Path, rabbitmq: RabbitNode, postgres_url: str
) -> None:
    a_home(home, rabbitmq, postgres_url)
    command = [str(Path(sys.executable).parent / "cloudctl"), "worker"]
    environment = {**os.environ, "CLOUDCTL_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    log = home / "log" / "worker.log"
    until(lambda: log.exists() and "worker started" in log.read_text(), "the worker has started")
    until(lambda: QUEUE in rabbitmq.queues(), "it listens")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
