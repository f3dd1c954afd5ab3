"""The flow that proves a point of a bucket: read from one vault, and for L2 brought back and read back.

It is brought back into a bucket of its own at the vault's site, which goes again however the proof ends. More
than L2 there is not: a bucket does not boot.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, NotProved
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import PointProof, Restore
from cloudctl.operations import Run
from cloudctl.ports import ObjectStore, Stores
from dr import proving
from dr.buckets.bringing import Bringing
from dr.buckets.clearing import clear
from dr.keyring import Keyring
from dr.proof_job import ProofJob, load
from dr.proof_reading import Reading
from dr.restore_job import load as load_restore
from provisioning.turning_back import failed, turn_back

READ, RESTORE, CLEAN, SIGN, END = "", "restore", "clean", "sign", "end"
_AGAIN_S = 60.0
_HIGHEST = "L2"


class ProveBucket:
    """Flow of the operations that prove a point of a bucket."""

    def __init__(self, stores: Stores, keyring: Keyring, settings: Settings) -> None:
        self._stores = stores
        self._keyring = keyring
        self._settings = settings
        self._reading = Reading(stores, keyring, self._natives)
        self._bringing = Bringing(stores, keyring, settings.installation)
        self._stages: dict[str, Callable[[Run, ProofJob], Outcome | None]] = {
            READ: self._read,
            RESTORE: self._restore,
            CLEAN: self._clean,
            SIGN: self._sign,
        }

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if job.operation.step == END:
                return failed(job) if job.is_undoing else Done()
            if job.operation.cancel_asked_at is not None and job.operation.step in {READ, RESTORE}:
                raise Cancelled("the proof was cancelled")
            wait = self._stages[job.operation.step](run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """A proof that showed something wrong has done its work; any other error proves nothing."""
        job = load(run, self._settings.installation)
        if job.operation.step in {CLEAN, SIGN}:
            return Later(_AGAIN_S, error.text())  # what was seen stands, and nothing may stay behind
        is_wrong = isinstance(error, NotProved)
        if is_wrong and job.operation.step == RESTORE and not job.is_undoing:
            with run.write() as (uow, _operation):
                holds = ("L1", "the bucket that was restored has other objects", run.clock.now())
                proving.note_failed(uow, job.point.id, job.proof.site_id, *holds)
            found = {_HIGHEST: proving.told(error.faults), "error": error.text()}
            self._conclude(run, job, "failed", found, CLEAN)
            return Later(0, error.text())
        if not job.is_undoing:
            self._conclude(run, job, "failed" if is_wrong else "inconclusive", {"error": error.text()}, CLEAN)
        return turn_back(run, error, ("proof", "failed"), "clearing away")

    # -- the stages

    def _read(self, run: Run, job: ProofJob) -> Outcome | None:
        """L0 and L1, healed where something is wrong."""
        found = self._reading.judge(run, job)
        if found is None:
            return Later(0, "stopped in the middle of reading")
        wanted, now = min(job.proof.level, "L1"), run.clock.now()
        details = {"read": found.told(), "healed": list(found.healed)}
        if proving.rank(found.level) < proving.rank(wanted):
            with run.write() as (uow, _operation):
                proving.note_failed(uow, job.point.id, job.proof.site_id, found.level, found.why, now)
                if found.is_beyond_help:
                    proving.note_lost(uow, job.point.id, job.proof.site_id)
            self._conclude(run, job, "failed", details, SIGN, found.level)
            return None
        with run.write() as (uow, _operation):
            proving.note_passed(uow, job.point.id, job.proof.site_id, str(found.level), now)
        is_all = proving.rank(job.proof.level) <= proving.rank("L1")
        state, step = ("passed", SIGN) if is_all else ("running", RESTORE)
        self._conclude(run, job, state, details, step, found.level)
        return None

    def _restore(self, run: Run, job: ProofJob) -> Outcome | None:
        restore_id = job.restore_id if job.restore_id is not None else self._begin(run, job)
        wait = self._bringing.advance(run, restore_id)
        if wait is not None:
            return wait
        with run.write() as (uow, _operation):
            proving.note_passed(uow, job.point.id, job.proof.site_id, _HIGHEST, run.clock.now())
        is_all = proving.rank(job.proof.level) <= proving.rank(_HIGHEST)
        why = {} if is_all else {job.proof.level: "a bucket is proved to L2 at most: it does not boot"}
        self._conclude(run, job, "passed" if is_all else "inconclusive", why, CLEAN, _HIGHEST)
        return None

    def _clean(self, run: Run, job: ProofJob) -> Outcome | None:
        """The bucket of the proof, with all that is in it."""
        if job.restore_id is not None:
            restore = load_restore(run, self._settings.installation, job.restore_id)
            if not clear(run, restore, self._stores, frozenset):
                return Later(0, "stopped in the middle of deleting")
            self._bringing.forget(job.restore_id)
            with run.write() as (uow, _operation):
                row = uow.need(Restore, job.restore_id)
                row.ended_at = row.ended_at or run.clock.now()
                row.is_verified = job.proof.reached == _HIGHEST
                row.state = "done" if row.is_verified else "failed"
        with run.write() as (uow, operation):
            operation.step = SIGN
            run.journal(uow, "clean", "done", "nothing of it is left")
        return None

    def _sign(self, run: Run, job: ProofJob) -> Outcome | None:
        """What was seen, signed: whoever has the public key can check it later."""
        proving.sign(run, self._keyring.signer, job.proof, END)
        return None

    # -- the pieces

    def _natives(self, _run: Run, job: ProofJob) -> Mapping[int, ObjectStore]:
        """The bucket itself, from which a copy is healed while it has the versions."""
        name = (job.point.topology or {}).get("bucket", {}).get("name")
        return {0: self._stores.bucket(job.point.site_id, str(name))} if name else {}

    def _begin(self, run: Run, job: ProofJob) -> int:
        """The row of the restore, in the hands of the proof's own operation."""
        with run.write() as (uow, _operation):
            row = uow.add(
                Restore(
                    point_id=job.point.id,
                    from_site_id=job.proof.site_id,
                    to_site_id=job.proof.site_id,
                    to_project="",
                    purpose="proof",
                    plan={
                        "bucket": f"cloudctl-proof-{self._settings.installation[:12]}-{job.proof.id}".lower()
                    },
                    state="running",
                    operation_id=run.operation_id,
                    asked_at=run.clock.now(),
                    asked_by=job.proof.by,
                )
            )
            return row.id

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
            row = uow.need(PointProof, job.proof.id)
            row.state, row.reached = state, reached or row.reached
            row.details = {**(row.details or {}), **details}
            operation.step = step
