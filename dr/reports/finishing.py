"""The end of a drill or a move: its report is assembled, hashed, signed, put into the audit chain and kept.

Once kept it never changes: whoever comes again after a crash finds it. The hash in the chain shows a report
that was made anew, the signature one that was changed.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudctl.actors import SYSTEM
from cloudctl.audit import Audit
from cloudctl.config import Settings
from cloudctl.errors import ApplicationUnavailable, CloudctlError
from cloudctl.lifecycle import FailoverState, Later, Outcome
from cloudctl.models import Drill, Failover
from cloudctl.operations import Flow, Run
from cloudctl.ports import Application
from cloudctl.store import UnitOfWork
from dr.failover.job import UNPLANNED
from dr.plans.document import Sentinels
from dr.points.head import Signs
from dr.reports import levels_file
from dr.reports.assembling import DRILL, FAILOVER, Given, assemble
from dr.reports.gathering import of_drill, of_failover
from dr.reports.recovery_time import since_fault
from dr.reports.sealing import seal
from dr.sentinels import answers, journal, loss, reading
from dr.sentinels.addressing import addresses_at, aimed

log = logging.getLogger(__name__)

_MOVED = (FailoverState.SHIFTED, FailoverState.COMMITTED)
ACTION = "dr.report"  # in the audit chain


class Finishing:
    """Makes reports. `signer` is that of the points: one public key proves both.

    With `application`, sentinels are read back through the application itself after a move.
    """

    def __init__(
        self,
        settings: Settings,
        signer: Signs,
        audit: Audit,
        application: Callable[[], Application] | None = None,
    ) -> None:
        self._settings = settings
        self._signer = signer
        self._audit = audit
        self._application = application
        self._copies = Path(settings.sentinel_copies) if settings.sentinel_copies else None

    def finish(self, run: Run, drill_id: int) -> None:
        """The report of a drill, once nothing of it is left. Again changes nothing.

        What sentinels show counts: a drill that lost more than its objective allows has failed.
        """
        with run.store.read() as uow:
            row = uow.need(Drill, drill_id)
            if row.report_sha256:
                return
            given = of_drill(uow, row, self._settings.sentinels, self._copies)
        document = assemble(given, levels_file.table())
        with run.write() as (uow, _operation):
            row = uow.need(Drill, drill_id)
            row.verdict, row.why = document["verdict"], document["why"]
            row.rpo_s = document["rpo_s"]
            self._keep(uow, row, DRILL, document)

    def finish_failover(self, run: Run, failover_id: int) -> None:
        """The report of a move whose operation ends, however it went. Again changes nothing."""
        with run.store.read() as uow:
            row = uow.need(Failover, failover_id)
            if row.report_sha256:
                return
            given = of_failover(uow, row)
            asked_at, state = row.asked_at, row.state
            there = addresses_at(uow, given.document, row.to_site_id)
        if given.document.sentinels is not None and state in _MOVED:
            wanted = aimed(given.document.sentinels, there)
            given = self._counted(given, wanted, asked_at, run.clock.now())
        document = assemble(given, levels_file.table())
        with run.write() as (uow, _operation):
            row = uow.need(Failover, failover_id)
            row.rpo_s, row.rto_s = document["rpo_s"], document["rto_s"]
            self._keep(uow, row, FAILOVER, document)

    def _counted(self, given: Given, wanted: Sentinels, asked_at: datetime, now: datetime) -> Given:
        """With the loss that sentinels show, when the application can be read, and with the time that passed
        from their last answer until somebody asked for an unplanned move: people were served by nobody."""
        known = journal.read(self._settings.sentinels, given.document.name, self._copies)
        fault = reading.last_answer(known, asked_at)
        if fault is not None and given.move == UNPLANNED and given.time is not None:
            silent_s = (asked_at - fault.at).total_seconds()
            given = replace(given, time=since_fault(given.time, silent_s))
        if self._application is None or fault is None:
            return given
        try:
            found = answers.of_answer(self._application().read(wanted.read_url))
        except ApplicationUnavailable as error:
            log.warning("sentinels of %s could not be read back: %s", given.document.name, error)
            return given
        return replace(given, loss=loss.count(known, found, fault, now), fault_at=fault.at)

    def _keep(self, uow: UnitOfWork, row: Drill | Failover, kind: str, document: dict[str, Any]) -> None:
        sealed = seal(document, self._signer)
        row.report, row.report_sha256 = sealed["report"], sealed["sha256"]
        row.signature = sealed["signature"]
        details = {"sha256": sealed["sha256"], "verdict": document["verdict"]}
        details |= {"plan": document["plan"]["name"], "rpo_s": document["rpo_s"], "rto_s": document["rto_s"]}
        self._audit.record(uow, SYSTEM.user_id, ACTION, kind, row.id, details)


class ReportedMove:
    """A flow of moves that makes the report before an operation ends, whether it went well or not."""

    def __init__(self, flow: Flow, finishing: Finishing) -> None:
        self._flow = flow
        self._finishing = finishing

    def advance(self, run: Run) -> Outcome:
        return self._reported(run, self._flow.advance(run))

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        return self._reported(run, self._flow.give_up(run, error))

    def _reported(self, run: Run, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Later):
            self._finishing.finish_failover(run, int(run.subject_id))
        return outcome
