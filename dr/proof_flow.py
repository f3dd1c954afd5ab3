"""The flow that proves a point to a level, from one vault: read, restored and read back, started and asked.

What is wrong is healed from another vault or from the source, while one of them has it, and looked at again.
A proof that the cloud or the vault did not allow is inconclusive: it says nothing about the point.
"""

from collections.abc import Mapping
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, NotProved
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import Operation, PointProof
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from cloudctl.store import UnitOfWork
from dr import proving
from dr.isolated import clearing, watching
from dr.keyring import Keyring
from dr.proof_ground import Ground
from dr.proof_job import ProofJob, load
from dr.proof_reading import Reading
from dr.proof_running import Running, Waiting
from dr.restore_clean import Cleaning
from dr.restore_job import RestoreJob
from dr.restore_job import load as load_restore
from dr.restoring import Restoring
from provisioning.lanes import Lanes
from provisioning.turning_back import failed, turn_back

READ, RESTORE, RUN, CLEAN, SIGN, END = "", "restore", "run", "clean", "sign", "end"
_AGAIN_S = 60.0


class Prove:
    """Flow of the operations that prove a point."""

    def __init__(
        self,
        clouds: Clouds,
        stores: Stores,
        keyring: Keyring,
        settings: Settings,
        lanes: Lanes | None = None,
    ) -> None:
        lanes = lanes or Lanes()
        self._keyring = keyring
        self._settings = settings
        self._reading = Reading(stores, keyring)
        self._clouds = clouds
        self._ground = Ground(clouds, settings)
        self._running = Running(clouds, settings)
        self._restoring = Restoring(clouds, stores, keyring, settings, lanes)
        self._cleaning = Cleaning(clouds, stores, lanes)

    def advance(self, run: Run) -> Outcome:
        while True:
            job = self._load(run)
            if job.operation.step == END:
                return failed(job) if job.is_undoing else Done()
            if job.operation.cancel_asked_at is not None and job.operation.step in {READ, RESTORE, RUN}:
                raise Cancelled("the proof was cancelled")
            stages = {READ: self._read, RESTORE: self._restore, RUN: self._run}
            stages |= {CLEAN: self._clean, SIGN: self._sign}
            wait = stages[job.operation.step](run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """A proof that showed something wrong has done its work; any other error proves nothing."""
        job = self._load(run)
        if job.operation.step in {CLEAN, SIGN}:
            return Later(_AGAIN_S, error.text())  # what was seen stands, and nothing may stay behind
        if isinstance(error, NotProved) and job.operation.step == RESTORE and not job.is_undoing:
            self._conclude(
                run, job, "failed", {"L2": proving.told(error.faults), "error": error.text()}, CLEAN
            )
            return Later(0, error.text())
        if job.operation.step == RUN and not job.is_undoing and not isinstance(error, Cancelled):
            self._conclude(run, job, "inconclusive", {job.proof.level: error.text()}, CLEAN)
            return Later(0, error.text())  # L2 is proved; that it could not be started says no more
        if not job.is_undoing:
            wait = turn_back(run, error, ("proof", "failed"), "clearing away")
            outcome = "failed" if isinstance(error, NotProved) else "inconclusive"
            self._conclude(run, job, outcome, {"error": error.text()}, CLEAN)
            return wait
        return turn_back(run, error, ("proof", "failed"), "clearing away")

    def _load(self, run: Run) -> ProofJob:
        return load(run, self._settings.installation)

    # -- the stages

    def _read(self, run: Run, job: ProofJob) -> Outcome | None:
        """L0 and L1, healed where something is wrong."""
        found = self._reading.judge(run, job)
        if found is None:
            return Later(0, "stopped in the middle of reading")
        wanted = min(job.proof.level, "L1")
        details = {"read": found.told(), "healed": list(found.healed)}
        if proving.rank(found.level) < proving.rank(wanted):
            with run.write() as (uow, _operation):
                proving.note_failed(
                    uow, job.point.id, job.proof.site_id, found.level, found.why, run.clock.now()
                )
                if found.is_beyond_help:
                    proving.note_lost(uow, job.point.id, job.proof.site_id)
            self._conclude(run, job, "failed", details, SIGN, found.level)
            return None
        with run.write() as (uow, _operation):
            proving.note_passed(uow, job.point.id, job.proof.site_id, str(found.level), run.clock.now())
        if proving.rank(job.proof.level) <= proving.rank("L1"):
            self._conclude(run, job, "passed", details, SIGN, found.level)
        else:
            self._conclude(run, job, "running", details, RESTORE, found.level)
        return None

    def _restore(self, run: Run, job: ProofJob) -> Outcome | None:
        """L2: in a project of its own at the vault's site, from nothing but the vault."""
        restore_id = self._ground.lay(run, job)
        wait = self._restoring.advance(run, restore_id)
        if wait is not None:
            return wait
        with run.write() as (uow, _operation):
            proving.note_passed(uow, job.point.id, job.proof.site_id, "L2", run.clock.now())
        if job.proof.level in proving.BY_RUNNING:
            self._conclude(run, job, "running", {}, RUN, "L2")
        else:
            self._conclude(run, job, "passed", {}, CLEAN, "L2")
        return None

    def _run(self, run: Run, job: ProofJob) -> Outcome | None:
        """L3 and L4: started from what was restored where nothing leads in or out, and asked from inside."""
        assert job.restore_id is not None
        restore = load_restore(run, self._settings.installation, job.restore_id)
        topology = self._restoring.topology(run, job.restore_id)
        verdict = self._running.advance(run, job, restore, topology)
        if isinstance(verdict, Waiting):
            return Later(max(self._settings.poll_s, verdict.pause_s), verdict.why)
        reached = verdict.reached or "L2"
        with run.write() as (uow, _operation):
            proving.note_passed(uow, job.point.id, job.proof.site_id, reached, run.clock.now())
            if verdict.state == watching.FAILED:
                proving.note_silent(uow, job.point.id, reached, run.clock.now())
        details = {"running": verdict.details, job.proof.level: verdict.why}
        self._conclude(run, job, verdict.state, details, CLEAN, reached)
        return None

    def _clean(self, run: Run, job: ProofJob) -> Outcome | None:
        """Servers, networks, volumes, backups, objects, and the project: nothing stays, however it went."""
        if job.restore_id is not None:
            self._restoring.forget(job.restore_id)
            self._running.forget(job.restore_id)
            restore = load_restore(run, self._settings.installation, job.restore_id)
            left = self._clear(run, job, restore) if restore.restore.to_project else 0
            if left:
                return Later(self._settings.poll_s, f"{left} things to be cleared away")
            self._ground.clear(run, job, restore)
        with run.write() as (uow, operation):
            operation.step = SIGN
            run.journal(uow, "clean", "done", "nothing of it is left")
        return None

    def _clear(self, run: Run, job: ProofJob, restore: RestoreJob) -> int:
        """How much is still there; what was started goes before the volumes it was started from."""
        if job.proof.level in proving.BY_RUNNING:
            left = clearing.clear(run, self._clouds.at(restore.site.id), restore.restore.to_project)
            if left:
                return left
        return self._cleaning.clear(run, restore, has_succeeded=False)

    def _sign(self, run: Run, job: ProofJob) -> Outcome | None:
        """What was seen, signed: whoever has the public key can check it later."""
        proving.sign(run, self._keyring.signer, job.proof, END)
        return None

    # -- writing

    def _conclude(
        self,
        run: Run,
        job: ProofJob,
        state: str,
        details: Mapping[str, Any],
        step: str,
        reached: str | None = None,
    ) -> None:
        with run.write() as (uow, operation):
            if state == "failed" and "L2" in details:
                holds = ("L1", "the volume that was restored has other bytes", run.clock.now())
                proving.note_failed(uow, job.point.id, job.proof.site_id, *holds)
            _write(uow, operation, job.proof.id, state, details, step, reached)


def _write(
    uow: UnitOfWork,
    operation: Operation,
    proof_id: int,
    state: str,
    details: Mapping[str, Any],
    step: str,
    reached: str | None,
) -> None:
    row = uow.need(PointProof, proof_id)
    row.state, row.reached = state, reached or row.reached
    row.details = {**(row.details or {}), **details}
    operation.step = step
    uow.flush()
