"""A kind of operation that only counts its passes, and workers for it: what is tested is who runs it."""

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cloudctl.audit import Audit
from cloudctl.bootstrap import AUDIT_KEY, SilentBell
from cloudctl.clock import SystemClock
from cloudctl.config import load
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import Done, Failed, Later, Outcome
from cloudctl.models import Operation
from cloudctl.operations import Engine, Run, start
from cloudctl.ports import Bell
from cloudctl.secrets import Signer
from cloudctl.store import Store, UnitOfWork
from cloudctl.worker import Worker, open_queue

KIND = "tally"


@dataclass
class Tally:
    """Counts passes in the row and journals each with the process that made it."""

    passes: int = 3
    pause_s: float = 0.01

    def advance(self, run: Run) -> Outcome:
        with run.write() as (uow, row):
            before = int(row.scratch.get("done", 0))
            if before >= self.passes:
                return Done()  # whoever made the last pass was killed before saying so
            done = before + 1
            row.scratch = {"done": done}
            run.journal(uow, f"pass {done} of fence {run.fence}", "done", str(os.getpid()))
        return Done() if done >= self.passes else Later(self.pause_s)

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        return Failed(error)


@dataclass
class Shop:
    """An installation whose operations only count; `ended` is told each end."""

    core: Core
    engine: Engine
    ended: "Ended"

    def order(self, bell: Bell | None = None) -> int:
        """A new operation; the bell is rung when it is on disk."""
        with self.core.store.write() as uow:
            row = start(uow, self.core.clock, KIND, ("test", 1), None, 600)
            if bell is not None:
                uow.after_commit(lambda: bell.ring(row.id))
            return row.id


@dataclass
class Ended:
    """The operations that ended, and a way to wait for them."""

    ids: list[int] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, _uow: UnitOfWork, operation: Operation) -> None:
        with self._changed:
            self.ids.append(operation.id)
            self._changed.notify_all()

    def all(self, ids: set[int], within_s: float = 20) -> bool:
        """Whether all of them have ended, or do in time."""
        with self._changed:
            return self._changed.wait_for(lambda: ids <= set(self.ids), within_s)


def open_shop(home: Path, flow: Tally | None = None) -> Shop:
    """The installation in `home`, with the flow that only counts."""
    settings = load(home)
    store, clock, ended = Store(settings.database_url), SystemClock(), Ended()
    audit = Audit(clock, Signer(settings.keys / AUDIT_KEY), settings.audit_heads)
    core = Core(settings, store, clock, audit, SilentBell())
    engine = Engine(store, clock, {KIND: flow or Tally()}, settings.lease_s, ended)
    return Shop(core, engine, ended)


def main() -> None:
    """A worker process: `python -m tests.flows.tallying HOME POLL_S PASSES PAUSE_S`, until SIGTERM."""
    home, poll_s, passes, pause_s = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    shop = open_shop(home, Tally(int(passes), pause_s))
    worker = Worker(shop, open_queue(shop.core.settings), lambda _core: None, poll_s)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker.start()
    sys.stdout.write("works\n")
    sys.stdout.flush()
    stop.wait()
    worker.stop()


if __name__ == "__main__":
    main()
