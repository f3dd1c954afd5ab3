"""Writes the sentinels of all plans that have them, each at its pace; runs in the worker, a tick at a time.

A tick reads no more than what is due and waits for nobody: records are sent from threads, one of a plan at a
time, so an application that hangs keeps no other waiting. Between plans nothing is shared but the key.
Nothing is written while the installation, brought back from a vault, only observes.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cloudctl.clock import monotonic
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import DrillState, FailoverState, PlanState
from cloudctl.models import Drill, Failover, ProtectionPlan
from cloudctl.observing import allowed_kinds
from cloudctl.ports import Application
from cloudctl.store import UnitOfWork
from dr.plans.document import Sentinels, of_json
from dr.sentinels import journal, pace
from dr.sentinels.addressing import addresses_at, aimed
from dr.sentinels.journal import Journal
from dr.sentinels.moments import Moments

log = logging.getLogger(__name__)

THREADS = 8
LOOK_EVERY_S = 2.0  # at which plans there are, and which of them are moving
_IN_USE = (PlanState.NEEDS_VERIFICATION, PlanState.VERIFIED, PlanState.STALE)
_DRILLED = (DrillState.DONE, DrillState.CLEANUP_INCOMPLETE, DrillState.CLEANING)
_MOVED = (FailoverState.COMMITTED, FailoverState.ABORTED)


@dataclass
class _Line:
    """The sentinels of one plan in this process."""

    journal: Journal
    last_s: float | None = None
    under_way: "Future[None] | None" = None


@dataclass(frozen=True)
class Wanted:
    """A plan that has sentinels, and whether its system is being rehearsed or moved now."""

    plan: str
    sentinels: Sentinels
    is_moving: bool


class Writing:
    """Everything that writes sentinels in this process."""

    def __init__(
        self,
        core: Core,
        application: Callable[[], Application],
        key: Callable[[], bytes],
        moments: Moments | None = None,
    ) -> None:
        """`application` and `key` are asked for once, when the first sentinel is due."""
        self._core = core
        self._application = cache(application)
        self._key = cache(key)
        self._moments = moments or Moments(core.clock)
        self._folder = core.settings.sentinels
        self._copies = Path(core.settings.sentinel_copies) if core.settings.sentinel_copies else None
        self._lines: dict[str, _Line] = {}
        self._wanted: list[Wanted] = []
        self._looked_s: float | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sentinel")
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="sentinel-copy")
        self._copying: Future[None] | None = None

    def tick(self, now_s: float | None = None) -> int:
        """Begin to send what is due at `now_s` (default: now) of the monotonic clock; how many."""
        now_s = monotonic() if now_s is None else now_s
        if self._looked_s is None or now_s - self._looked_s >= LOOK_EVERY_S:
            with self._core.store.read() as uow:
                self._wanted = wanted(uow) if allowed_kinds(uow) is None else []
            self._looked_s = now_s
            self._let_go()
        begun = sum(self._begin(one, now_s) for one in self._wanted)
        self._copy()
        return begun

    def settle(self) -> None:
        """Wait for what is under way."""
        for line in self._lines.values():
            if line.under_way is not None:
                line.under_way.result()
        if self._copying is not None:
            self._copying.result()

    def close(self) -> None:
        """Send nothing more; what is under way has seconds to end by itself."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._copier.shutdown(wait=False, cancel_futures=True)
        for line in self._lines.values():
            line.journal.close()
        self._lines.clear()

    def _begin(self, one: Wanted, now_s: float) -> bool:
        line = self._line(one.plan)
        if line is None or (line.under_way is not None and not line.under_way.done()):
            return False
        if not pace.is_due(line.last_s, now_s, one.sentinels, one.is_moving):
            return False
        line.last_s = now_s
        line.under_way = self._pool.submit(self._send, line, one.sentinels.write_url)
        return True

    def _send(self, line: _Line, url: str) -> None:
        try:
            made = line.journal.begin(self._moments.now(), self._key())
            self._application().write(url, made.body())
            line.journal.acknowledge(made, self._moments.now())
        except CloudctlError as error:
            log.info("a sentinel of %s was not acknowledged: %s", line.journal.plan, error)
        except OSError as error:
            log.warning("a sentinel of %s could not be written down: %s", line.journal.plan, error)

    def _line(self, plan: str) -> _Line | None:
        if plan not in self._lines:
            try:
                self._lines[plan] = _Line(Journal(self._folder, plan))
            except BlockingIOError:
                return None  # another process of this home writes them
            except OSError as error:
                log.warning("the journal of %s cannot be opened: %s", plan, error)
                return None
        return self._lines[plan]

    def _let_go(self) -> None:
        """Of plans that have no sentinels any more."""
        for plan in self._lines.keys() - {one.plan for one in self._wanted}:
            line = self._lines[plan]
            if line.under_way is None or line.under_way.done():
                self._lines.pop(plan).journal.close()

    def _copy(self) -> None:
        """To the third place, in a thread of its own: a mount that hangs keeps no sentinel waiting."""
        if self._copies is not None and (self._copying is None or self._copying.done()):
            sources = {line.journal.path: line.journal.writer for line in self._lines.values()}
            self._copying = self._copier.submit(_copy_all, sources, self._copies)


def wanted(uow: UnitOfWork) -> list[Wanted]:
    """The plans in use that have sentinels, by name, each written to where its system runs now."""
    drilled = set(uow.column(Drill.plan_id, Drill.state.not_in(_DRILLED)))
    moving = drilled | set(uow.column(Failover.plan_id, Failover.state.not_in(_MOVED)))
    rows = uow.tuples(
        [ProtectionPlan.id, ProtectionPlan.name, ProtectionPlan.document, ProtectionPlan.active_site_id],
        ProtectionPlan.state.in_(_IN_USE),
        order_by=[ProtectionPlan.name],
    )
    found = []
    for key, name, document, site_id in rows:
        plan = of_json(document)
        if plan.sentinels is not None:
            sentinels = aimed(plan.sentinels, addresses_at(uow, plan, site_id))
            found.append(Wanted(name, sentinels, key in moving))
    return found


def _copy_all(sources: Mapping[Path, str], target: Path) -> None:
    for path, writer in sources.items():
        try:
            journal.copy(path, target, writer)
        except OSError as error:
            log.warning("sentinels are not copied to the third place: %s", error)
            return
