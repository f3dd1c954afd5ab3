"""L3 and L4 of a proof: what was restored is started where nothing leads in or out, and asked from inside.

It goes on in the project in which L2 was proved. Every pass looks first and adopts what is there; the nonce
to which the probe's words are bound is written down before the probe exists.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import BuildFailed, Fault
from cloudctl.models import Operation, PolicyMember
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Clouds
from dr.alarm import raise_alarm
from dr.isolated import laying, plan, probe, watching
from dr.isolated.checks import Check, from_json
from dr.isolated.laying import Ids, Place, Started
from dr.isolated.plan import Offer, Plan
from dr.isolated.watching import INCONCLUSIVE, Verdict
from dr.marks import TAG_POSITION
from dr.proof_job import ProofJob
from dr.proving import told
from dr.restore_job import RestoreJob
from dr.starting import PROOF_SUBJECT

log = logging.getLogger(__name__)

_LEAKS = (
    "the proof of point {point} at {site} was not cut off: {answered} could be reached. It proves nothing"
)


@dataclass(frozen=True)
class Waiting:
    """What it waits for, and that there is no use in looking again sooner."""

    why: str
    pause_s: float = 0.0


@dataclass(frozen=True)
class _Known:
    """What a pass finds out once: it is found out again by whoever takes over."""

    plan: Plan
    checks: tuple[Check, ...]


class Running:
    """Moves a proof from the restored volumes to a verdict about what they start."""

    def __init__(self, clouds: Clouds, settings: Settings) -> None:
        self._clouds = clouds
        self._settings = settings
        self._known: dict[int, _Known] = {}

    def advance(
        self, run: Run, job: ProofJob, restore: RestoreJob, topology: Mapping[str, Any]
    ) -> Verdict | Waiting:
        """The verdict, or what it waits for.

        Errors of the cloud are raised: they say nothing about the point. What keeps the system from being
        started at all makes it inconclusive, with every fault.
        """
        cloud = self._clouds.at(restore.site.id)
        known = self._known.get(restore.restore.id) or self._draw(run, job, cloud, topology)
        if isinstance(known, list):
            why = "; ".join(str(one) for one in known[:5])
            return Verdict(INCONCLUSIVE, None, f"it cannot be started here: {why}", {"faults": told(known)})
        self._known[restore.restore.id] = known
        began = self._begin(run, cloud, restore, known.plan)
        place = _place(restore)
        ids = self._lay(run, cloud, place, known.plan)
        started = laying.start(run, cloud, place, known.plan, ids, known.checks, began["nonce"])
        if isinstance(started, str):
            if self._is_late(run, began["at"]):
                raise BuildFailed("not started in time: {what}", what=started)
            return Waiting(started)
        return self._watch(run, job, cloud, place, started)

    def forget(self, restore_id: int) -> None:
        self._known.pop(restore_id, None)

    # -- what is started

    def _draw(
        self, run: Run, job: ProofJob, cloud: Cloud, topology: Mapping[str, Any]
    ) -> _Known | list[Fault]:
        settings = self._settings
        offer = Offer(cloud.list_flavors(), cloud.list_images(), settings.probe_flavor, settings.probe_image)
        forbidden = [*cloud.api_addresses(), *settings.isolation_canary.split()]
        drawn, faults = plan.draw(topology, offer, forbidden)
        with run.store.read() as uow:
            rows = uow.need(PolicyMember, job.point.member_id).checks
        rows = rows or list(topology.get("checks") or ())  # of a member that was rebuilt the point knows them
        return faults if drawn is None else _Known(drawn, from_json(rows))

    def _begin(self, run: Run, cloud: Cloud, restore: RestoreJob, drawn: Plan) -> dict[str, str]:
        """Room in the project's quota, then the nonce and the time: both are written down once."""
        known = _state(run).get("began")
        if known is not None:
            return dict(known)
        cloud.set_quota(restore.restore.to_project, drawn.room(*_volumes(restore)))
        began = {"nonce": secrets.token_hex(16), "at": run.clock.now().isoformat()}
        _remember(run, began=began)
        return began

    def _lay(self, run: Run, cloud: Cloud, place: Place, drawn: Plan) -> Ids:
        known = _state(run).get("ids")
        if known is not None:
            return Ids(**known)
        ids = laying.lay_networks(run, cloud, place, drawn)
        _remember(run, ids=vars(ids))
        return ids

    # -- what is seen

    def _watch(
        self, run: Run, job: ProofJob, cloud: Cloud, place: Place, started: Started
    ) -> Verdict | Waiting:
        active_at = _state(run).get("active_at")
        if active_at is None:
            active_at = run.clock.now().isoformat()
            _remember(run, active_at=active_at)
        inside = cloud.in_project(place.project)
        ways_out = [way for one in inside.list_own_networks() for way in one.ways_out]
        report = probe.read(inside.console_output(started.probe_id), str(_state(run)["began"]["nonce"]))
        is_late = self._is_late(run, active_at)
        level = job.proof.level
        verdict = watching.judge(level, started.errand, started.lost, report, ways_out, is_late)
        if verdict is None:
            return Waiting("the servers to answer", probe.PAUSE_S)
        if verdict.is_breached:
            self._alarm(run, job, [*ways_out, *(report.answered if report else ())])
        return verdict

    def _is_late(self, run: Run, since: str) -> bool:
        patience = timedelta(seconds=self._settings.proof_patience_s)
        return run.clock.now() - datetime.fromisoformat(since) > patience

    def _alarm(self, run: Run, job: ProofJob, answered: Sequence[str]) -> None:
        params = {"point": job.point.id, "site": job.proof.site_id, "answered": ", ".join(answered)}
        log.error("proof %s was not cut off: %s", job.proof.id, params["answered"])
        with run.write() as (uow, _operation):
            raise_alarm(uow, run.clock, job.proof.site_id, _LEAKS, params, (PROOF_SUBJECT, job.proof.id))
            run.journal(uow, "isolation", "failed", params["answered"])


def _place(restore: RestoreJob) -> Place:
    job = restore.restore
    volumes = {int(position): str(made["volume"]) for position, made in restore.made.items()}
    tags = restore.tags(0)
    return Place(job.to_project, {key: tags[key] for key in tags if key != TAG_POSITION}, volumes)


def _volumes(restore: RestoreJob) -> tuple[int, int]:
    """How many volumes and GiB the project has, as the proof's ground was laid for them."""
    sizes = [int(made.get("size_gib") or 0) for made in restore.made.values()]
    return 2 * len(sizes), 2 * sum(sizes)


def _state(run: Run) -> dict[str, Any]:
    """What this proof has written down about what it started."""
    with run.store.read() as uow:
        scratch = uow.need(Operation, run.operation_id).scratch or {}
        return dict(scratch.get("isolated") or {})


def _remember(run: Run, **values: Any) -> None:
    with run.write() as (_uow, operation):
        had = dict(operation.scratch.get("isolated") or {})
        operation.scratch = {**operation.scratch, "isolated": {**had, **values}}
