"""Workers: the engine behind Celery messages that carry an operation id and nothing else.

The database is the book, the queue only a bell: due rows are moved on every second whether or not a bell
rang, so that a lost message, a lost broker and a worker that was killed cost a second each. The same code
runs inside `cloudctl serve` (queue in memory) and as `cloudctl worker` on many hosts (RabbitMQ).
"""

import logging
import os
import queue as queues
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

from celery import Celery
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer

from cloudctl import logs
from cloudctl.config import Settings, load
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, StoreUnavailable
from cloudctl.operations import Engine

log = logging.getLogger(__name__)

TASK = "cloudctl.advance"
QUEUE = "cloudctl.bells"
POLL_S = 1.0
HOUSEKEEPING_S = 60.0
SHARE_S = 15.0  # what changed is at every site within a minute
BEAT_S = 15.0  # so much more than it is at most a copy seems to be behind
PACE_S = 0.25  # sentinels are due once a second at the most
BELL_LASTS_S = 60  # the poll has long been faster than an older bell
RECONNECT_S = 5.0
LISTEN_S = 2.0  # how long Celery reads before it looks whether to stop
MEMORY = "memory://localhost/"  # a host, or kombu warns that there is none
_RING_LIMIT = 1000


class Listener(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer with what hears a bell, and nothing of what a task queue can do besides."""

    is_over: ClassVar[Callable[[], bool]]  # whether its worker stops
    _is_ending = False  # it comes here once more on its way out

    def perform_pending_operations(self) -> None:
        """In each round of reading. Celery's own word to stop is one for all workers of a process, and who
        begins to listen takes it back."""
        if type(self).is_over() and not self._is_ending:
            self._is_ending = True
            raise WorkerShutdown(0)
        super().perform_pending_operations()

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """The steps of starting and stopping."""

        default_steps: ClassVar[list[str]] = [
            "celery.worker.consumer.connection:Connection",
            "celery.worker.consumer.tasks:Tasks",
            "celery.worker.consumer.consumer:Evloop",
        ]


def open_queue(settings: Settings) -> Celery:
    """The Celery application of an installation: one queue, ids only, no results, no hand on our logging."""
    queue = Celery("cloudctl", broker=settings.broker or MEMORY, set_as_current=False)
    queue.conf.update(
        accept_content=["json"],
        broker_connection_retry=False,  # the worker's own loop does, and can be stopped
        broker_connection_retry_on_startup=False,
        broker_connection_timeout=3,
        result_backend=None,
        task_acks_late=False,  # a bell is rung once; late acks would be cut off after 30 min
        task_default_delivery_mode="transient",  # a bell is not worth a write to disk
        task_default_queue=QUEUE,
        task_default_queue_type="classic",  # docs/adr/0026: a quorum queue can stay without a leader for ever
        task_ignore_result=True,
        task_serializer="json",
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    if not settings.broker:
        queue.conf.broker_transport_options = {"polling_interval": 0.05}
    return queue


def queue_problem(queue: Celery) -> str | None:
    """Why the broker does not answer; None when it does."""
    try:
        with queue.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
    except Exception as error:  # whatever a transport raises
        return f"the broker does not answer: {error}"
    return None


class QueueBell:
    """Rings through the queue, from a thread of its own: no caller ever waits for a broker."""

    def __init__(self, queue: Celery) -> None:
        self._queue = queue
        self._waiting: queues.Queue[int] = queues.Queue(_RING_LIMIT)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, operation_id: int) -> None:
        """Wake a worker soon, or not at all."""
        try:
            self._waiting.put_nowait(operation_id)
        except queues.Full:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="bell", daemon=True)
                self._thread.start()

    def _send_all(self) -> None:
        while True:
            operation_id = self._waiting.get()
            try:
                self._queue.send_task(TASK, (operation_id,), retry=False, expiration=BELL_LASTS_S)
            except Exception as error:  # whatever a transport raises: the poll finds the row
                log.warning("the bell for operation %s was not heard: %s", operation_id, error)


class Crew:
    """At most `size` operations side by side in this process, each in a thread; what is full says no."""

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._size = size
        self._busy: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def room(self) -> int:
        """How many more operations would be taken now."""
        with self._lock:
            return 0 if self._stopping else self._size - len(self._busy)

    def take(self, operation_id: int) -> bool:
        """Move the operation on in a thread. False when it is in hand already, or there is no room."""
        with self._lock:
            if self._stopping or operation_id in self._busy or len(self._busy) >= self._size:
                return False
            name = f"operation-{operation_id}"
            thread = threading.Thread(target=self._run, args=(operation_id,), name=name, daemon=True)
            self._busy[operation_id] = thread
            thread.start()
        return True

    def stop(self, within_s: float) -> bool:
        """Take no more and wait for what is in hand. False when some of it is still going on then."""
        with self._lock:
            self._stopping = True
            threads = list(self._busy.values())
        self._engine.stop()
        for thread in threads:
            thread.join(within_s / len(threads))
        return not any(thread.is_alive() for thread in threads)

    def _run(self, operation_id: int) -> None:
        try:
            with logs.context(operation_id=operation_id):
                self._move_on(operation_id)
        finally:
            with self._lock:
                del self._busy[operation_id]

    def _move_on(self, operation_id: int) -> None:
        try:
            self._engine.run(operation_id)
        except CloudctlError as error:
            log.warning("operation %s: %s", operation_id, error)
        except Exception:
            log.exception("operation %s: unexpected", operation_id)


class Works(Protocol):
    """What a worker needs of an installation."""

    @property
    def core(self) -> Core: ...

    @property
    def engine(self) -> Engine: ...


def keep_house(core: Core) -> None:
    """What falls due by the clock alone: requests that nobody answered, exemptions past their day."""
    from cloudctl.observing import acts_in_full
    from tenants.migration.exemption_days import end_due
    from tenants.requests import expire_due

    if acts_in_full(core.store):
        expire_due(core)
        end_due(core)


class Worker:
    """Hears bells, polls for due rows, keeps house. Starts and stops once."""

    def __init__(  # noqa: PLR0913, PLR0917  # what goes on beside operations, as bootstrap wires it
        self,
        app: Works,
        queue: Celery,
        housekeeping: Callable[[Core], None] = keep_house,
        poll_s: float = POLL_S,
        look: Callable[[], None] = lambda: None,
        begin_due: Callable[[], None] = lambda: None,
        write_sentinels: Callable[[], None] = lambda: None,
        share: Callable[[], None] = lambda: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._queue = queue
        self._housekeeping = housekeeping
        self._poll_s = poll_s
        self._look = look
        self._begin_due = begin_due
        self._write_sentinels = write_sentinels
        self._share = share
        self._beat = beat
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.crew = Crew(app.engine, app.core.settings.worker_threads)
        queue.task(name=TASK, ignore_result=True, shared=False)(self._heard)
        queue.set_default()  # the threads of Celery's pool look the task up in the process's default

    def start(self) -> None:
        """Begin, in threads of this process."""
        loops = (self._listen, self._poll, self._keep_house, self._watch, self._pace, self._exchange)
        for work in (*loops, self._mark):
            thread = threading.Thread(target=work, name=f"worker{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, within_s: float = 20.0) -> None:
        """End at the next good place. What cannot end in time is taken up by whoever comes next."""
        self._stopping.set()
        if not self.crew.stop(within_s):
            log.warning("stopped in the middle of operations; they go on when their lease has ended")
        for thread in self._threads:
            thread.join(LISTEN_S + 1)

    # -- the seven threads

    def _heard(self, operation_id: int) -> None:
        """The Celery task: quick, because a crew that is full leaves the row to whoever polls first."""
        self.crew.take(int(operation_id))

    def _listen(self) -> None:
        was_silent = False
        while not self._stopping.is_set():
            problem = queue_problem(self._queue)
            if problem is None:
                self._consume()
            elif not was_silent:
                log.warning("not listening, only polling: %s", problem)
            was_silent = problem is not None
            self._stopping.wait(RECONNECT_S)

    def _consume(self) -> None:
        """Hear bells until the connection is lost or the worker stops."""
        own = type("OwnListener", (Listener,), {"is_over": staticmethod(self._stopping.is_set)})
        try:
            self._queue.WorkController(
                hostname=f"cloudctl-{os.getpid()}@{socket.gethostname()}",
                pool_cls="threads",
                concurrency=1,
                consumer_cls=own,
                use_eventloop=False,  # its hub is not closed cleanly outside the main thread
            ).start()
        except SystemExit:  # Celery ends a worker by it, and lets it out where that is ending already
            log.info("Celery has ended its worker")
        except Exception as error:  # whatever Celery or a transport raises: polling goes on
            log.warning("not listening to the queue: %s", error)

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                room = self.crew.room()
                for operation_id in self._app.engine.due(room) if room else ():
                    self.crew.take(operation_id)
            except StoreUnavailable as error:
                log.warning("not polling: %s", error)
            except Exception:
                log.exception("polling failed")

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_S):
            try:
                self._housekeeping(self._app.core)
            except Exception:
                log.exception("housekeeping failed")
            try:
                self._begin_due()
            except Exception:
                log.exception("beginning what is due failed")

    def _watch(self) -> None:
        """Apart from the rest: a site that does not answer keeps nobody else waiting."""
        while not self._stopping.wait(HOUSEKEEPING_S):
            try:
                self._look()
            except Exception:
                log.exception("looking at the sites failed")

    def _pace(self) -> None:
        """Apart as well: what is written each second waits for nothing else."""
        while not self._stopping.wait(PACE_S):
            try:
                self._write_sentinels()
            except StoreUnavailable as error:
                log.warning("no sentinels are written: %s", error)
            except Exception:
                log.exception("writing sentinels failed")

    def _exchange(self) -> None:
        """Apart too: a vault that does not answer holds up nobody else."""
        while not self._stopping.wait(SHARE_S):
            try:
                self._share()
            except StoreUnavailable as error:
                log.warning("nothing is shared with the other sites: %s", error)
            except Exception:
                log.exception("sharing with the other sites failed")

    def _mark(self) -> None:
        """Apart too: a storage that does not answer is waited for so long."""
        while not self._stopping.wait(BEAT_S):
            try:
                self._beat()
            except StoreUnavailable as error:
                log.warning("no beats are written: %s", error)
            except Exception:
                log.exception("writing beats failed")


def run(home: Path) -> None:
    """`cloudctl worker`: work until SIGTERM or SIGINT."""
    from cloudctl.bootstrap import open_app

    queue = open_queue(load(home))
    app = open_app(home, QueueBell(queue))
    worker = Worker(
        app,
        queue,
        look=app.look_around,
        begin_due=app.begin_due_points,
        write_sentinels=app.write_sentinels,
        share=app.share,
        beat=app.beat_replicas,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker.start()
    log.info("worker started")
    stop.wait()
    log.info("worker stops")
    worker.stop()
    app.close()
