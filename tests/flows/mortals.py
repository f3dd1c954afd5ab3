"""A worker in a process of its own, as `cloudctl worker` is one, whose clouds are held by the test.

It tells the test of every commit that enters a state of a drill or a move, or a step of the journal, right
before and right after it.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history

from cloudctl.audit import Audit
from cloudctl.bootstrap import AUDIT_KEY, keyring_of
from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.errors import StoreUnavailable
from cloudctl.models import Drill, Failover, Step
from cloudctl.operations import Engine, Flow
from cloudctl.ports import Clouds, Stores
from cloudctl.secrets import Signer
from cloudctl.store import Store, UnitOfWork
from cloudctl.worker import QueueBell, Worker, open_queue
from dr import drafting, starting
from dr.backup_flow import Backup
from dr.drills.cloning import FromPoints
from dr.drills.flow import Rehearse
from dr.failover import job as moves
from dr.failover.flow import Move
from dr.failover.off import ServersOff
from dr.failover.points_way import PointsWay
from dr.failover.protocols import Voting
from dr.isolated.checks import Check
from dr.plans.document import Way
from provisioning.lanes import Lanes
from tests.flows.far import Far, GoOn, Line

POLL_S = 0.2


class Ahead(SystemClock):
    """The machine's clock, so much ahead."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


class TellingStore(Store):
    """Tells of the states and steps that a commit enters, before and after it."""

    def __init__(self, url: str, line: Line) -> None:
        super().__init__(url)
        self._line = line

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        entered: list[str] = []
        with super().write() as uow:
            event.listen(uow.session, "before_flush", lambda session, *_: entered.extend(_entered(session)))
            yield uow
            uow.flush()
            for one in dict.fromkeys(entered):
                self._line.tell("before", one)
        heard = [self._line.tell("after", one) for one in dict.fromkeys(entered)]
        if GoOn.UNHEARD in heard:
            raise StoreUnavailable("the database did not answer: {detail}", detail="its answer was lost")


def _entered(session: Session) -> Iterator[str]:
    for row in (*session.new, *session.dirty):
        if isinstance(row, Drill | Failover | Step) and get_history(row, "state").has_changes():
            yield f"{row.name} {row.state}" if isinstance(row, Step) else f"the state {row.state}"


class Whatever:
    """What has an address answers."""

    def ask(self, site_id: str, check: Check, address: str) -> tuple[bool, str]:
        """Nobody is asked."""
        return bool(address), ""


@dataclass(frozen=True)
class Works:
    """What a worker needs of an installation."""

    core: Core
    engine: Engine


def main(address: str, settings: Settings, ahead: timedelta, gib_bytes: int) -> None:
    """Work until killed; the test hears `works` first."""
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    vars(drafting)["GIB"] = gib_bytes  # as the fake cloud has it
    line = Line(address)
    store, clock = TellingStore(settings.database_url, line), Ahead(ahead)
    queue = open_queue(settings)
    audit = Audit(clock, Signer(settings.keys / AUDIT_KEY), settings.audit_heads)
    core = Core(settings, store, clock, audit, QueueBell(queue))
    engine = Engine(store, clock, _flows(core, line), settings.lease_s)
    worker = Worker(Works(core, engine), queue, lambda _core: None, POLL_S)
    worker.start()
    line.tell("after", "works")
    threading.Event().wait()


def _flows(core: Core, line: Line) -> dict[str, Flow]:
    clouds, stores = cast("Clouds", Far(line, "clouds")), cast("Stores", Far(line, "stores"))
    witness = cast("Voting", Far(line, "witness"))
    settings, keyring, lanes = core.settings, keyring_of(core.settings), Lanes()
    ways: Any = {Way.POINTS: PointsWay(clouds, stores, keyring, settings, lanes)}
    from_points = FromPoints(clouds, stores, keyring, settings, lanes)
    return {
        "drill": Rehearse(clouds, {Way.POINTS: from_points}, settings, lanes),
        moves.KIND: Move(settings, witness, ways, Whatever(), rungs=[ServersOff(clouds)], audit=core.audit),
        starting.BACKUP: Backup(clouds, stores, keyring, settings),
    }
