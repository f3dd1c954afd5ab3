"""The part of a backup that puts the point into vaults: sealed, copied, its head put last, then read back.

One vault after the other, and one that cannot be reached keeps no other waiting. Objects are put side by
side. A copy without its head does not exist for anybody: what it has put goes when its lock ends.
"""

from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, LeaseLost, NotProved, StoreUnavailable, VaultFull
from cloudctl.lifecycle import Later, Outcome, PointState
from cloudctl.models import Operation, PointCopy, PointVolume, RecoveryPoint, Vault
from cloudctl.operations import Run
from cloudctl.ports import Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.keyring import Keyring
from dr.metering import Meter
from dr.point_job import PointJob, load, move_point
from dr.points.checking import Judgement, check
from dr.points.format import Progress
from dr.points.head import head_key
from dr.points.healing import heal
from dr.points.replication import Copied, Journal, VaultView, replicate
from dr.sources import Sources, VolumeSources
from dr.vault_admission import SEALED_KEY

WAIT_S = 60.0  # for a vault that cannot be reached
OPEN, SEALED, SUSPECT, MISSED = ("pending", "copying"), "sealed", "suspect", "missed"
_SHARE = 100  # of the operation's progress, for each copy


class Copying:
    """The stages `copy` and `check` of a backup."""

    def __init__(
        self, stores: Stores, keyring: Keyring, settings: Settings, sources: Sources | None = None
    ) -> None:
        self._stores = stores
        self._keyring = keyring
        self._settings = settings
        self._sources = sources or VolumeSources(stores)
        self._journals: dict[tuple[str, str, str], Journal] = {}

    # -- copy

    def copy(self, run: Run, job: PointJob) -> Outcome | None:
        """Bring every open copy as far as it goes now; the point is sealed when none is open."""
        if job.point.state == PointState.CAPTURING:
            with run.write() as (uow, operation):
                self._sources.settle(uow, run, operation, job)
            job = load(run, self._settings.installation)
        for copy in job.copies:
            if copy.state not in OPEN:
                continue
            try:
                copied = self._replicate(run, job, copy)
            except (LeaseLost, StoreUnavailable, NotProved):
                raise
            except CloudctlError as error:
                self._not_now(run, job, copy, error)
                continue
            if not copied.is_complete:
                return Later(0, "stopped in the middle; what is there is not put again")
            self._sealed(run, job, copy, copied)
        return self._after_all(run, load(run, self._settings.installation))

    def go_without(self, run: Run, job: PointJob, why: str) -> None:
        """The copies that are open are given up; the point is what the others are."""
        with run.write() as (uow, operation):
            _give_up(uow, job.point.id, why)
            run.journal(uow, "copy", "failed", why)
            self._seal(uow, run, operation, job)

    def _replicate(self, run: Run, job: PointJob, copy: PointCopy) -> Copied:
        def write(uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            row = uow.need(PointCopy, copy.id)
            row.state = "copying"
            row.objects_total, row.objects_done = progress.objects_total, progress.objects_done
            row.bytes_total, row.bytes_done = progress.bytes_total, progress.bytes_done
            whole = 2 * len(job.volumes) + _SHARE * sum(one.state not in OPEN for one in job.copies)
            done = _SHARE * progress.bytes_done // max(1, progress.bytes_total)
            operation.progress_done = min(operation.progress_total, whole + done)

        meter = Meter(run, write)
        with run.write() as (uow, operation):
            uow.update(PointCopy, PointCopy.id == copy.id, state="copying")
            operation.why = f"copying to {copy.site_id}"
        return replicate(
            self._sources.draft(run, job),
            self._key(job),
            self._keyring.signer,
            self._sources.natives(run, job),
            self._vault(copy.site_id),
            journal=self._journals.setdefault(self._name(job, copy), Journal()),
            on_progress=meter.on_progress,
            stop=meter.stop,
        )

    def _sealed(self, run: Run, job: PointJob, copy: PointCopy, copied: Copied) -> None:
        """The head is in the vault: the copy exists."""
        assert copied.head is not None
        assert copied.manifest is not None
        roots = {part.position: part.root_sha256 for part in copied.manifest.parts}
        stored_bytes = sum(piece.sealed.size_bytes for piece in copied.manifest.pieces)
        stored_bytes += copied.head.manifest.size_bytes
        with run.write() as (uow, _operation):
            row = uow.need(PointCopy, copy.id)
            row.state, row.note, row.sealed_at = SEALED, "", run.clock.now()
            row.objects_total, row.objects_done = copied.objects_total, copied.objects_done
            row.bytes_total, row.bytes_done = copied.bytes_total, copied.bytes_done
            row.head_key, row.head_sha256 = head_key(copied.head), copied.head.sha256
            row.locked_until = copied.head.locked_until
            point = uow.need(RecoveryPoint, job.point.id)
            point.manifest_sha256, point.stored_bytes = copied.head.manifest.sha256, stored_bytes
            for volume in uow.all(PointVolume, PointVolume.point_id == point.id):
                volume.root_sha256 = roots.get(volume.position, "")
            vault = uow.need(Vault, copy.site_id)
            vault.used_bytes, vault.state, vault.note = vault.used_bytes + stored_bytes, "ready", ""
            run.journal(uow, f"copy {copy.site_id}", "done", f"{stored_bytes} bytes")
        self._journals.pop(self._name(job, copy), None)

    def _not_now(self, run: Run, job: PointJob, copy: PointCopy, error: CloudctlError) -> None:
        """A vault without room is given up for this point; for any other trouble it is waited."""
        is_full = isinstance(error, VaultFull)
        with run.write() as (uow, _operation):
            row = uow.need(PointCopy, copy.id)
            row.note = error.text()
            vault = uow.get(Vault, copy.site_id)
            if vault is not None:
                vault.state, vault.note = ("full" if is_full else "unreachable"), error.text()
            if is_full:
                row.state = MISSED
                run.journal(uow, f"copy {copy.site_id}", "failed", error.text(), error.cloud_request_id)

    def _after_all(self, run: Run, job: PointJob) -> Outcome | None:
        waiting = [copy.site_id for copy in job.copies if copy.state in OPEN]
        if waiting:
            return Later(WAIT_S, f"waiting for the vault of {', '.join(waiting)}")
        if not any(copy.state == SEALED for copy in job.copies):
            raise VaultFull("no vault could take the point: {why}", why="; ".join(c.note for c in job.copies))
        with run.write() as (uow, operation):
            self._seal(uow, run, operation, job)
        return None

    def _seal(self, uow: UnitOfWork, run: Run, operation: Operation, job: PointJob) -> None:
        move_point(uow, job.point.id, "seal", stored_at=run.clock.now())
        operation.step = "check"
        run.journal(uow, "seal", "done")

    # -- check: every byte of what was put, read back from where it was put

    def check(self, run: Run, job: PointJob) -> Outcome | None:
        """L1 of each copy, healed at once where the source still has what is wrong."""
        for copy in job.copies:
            if copy.state != SEALED or copy.level is not None:
                continue
            judgement = self._judge(run, job, copy)
            if judgement.is_complete and judgement.broken:
                judgement = self._healed(run, job, copy, judgement)
            if not judgement.is_complete:
                return Later(0, "stopped in the middle of a check")
            with run.write() as (uow, _operation):
                row = uow.need(PointCopy, copy.id)
                row.checked_at, row.level = run.clock.now(), judgement.level
                if judgement.level != "L1":
                    row.state = SUSPECT
                    row.note = "; ".join(str(fault) for fault in judgement.faults[:5])
                state = "done" if judgement.level == "L1" else "failed"
                run.journal(uow, f"check {copy.site_id}", state, row.note)
        self._proved(run, load(run, self._settings.installation))
        return None

    def _judge(self, run: Run, job: PointJob, copy: PointCopy) -> Judgement:
        def write(_uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            operation.why = f"checking the copy in {copy.site_id}: {progress.objects_done} objects"

        meter = Meter(run, write)
        return check(
            self._stores.vault(copy.site_id, Purpose.READ),
            copy.head_key,
            (self._keyring.signer.public,),
            self._key(job),
            now=run.clock.now(),
            level="L1",
            expected_head_sha256=copy.head_sha256,
            on_progress=meter.on_progress,
            stop=meter.stop,
        )

    def _healed(self, run: Run, job: PointJob, copy: PointCopy, judgement: Judgement) -> Judgement:
        """Put what is wrong again, then look again; a copy without head or manifest stays as it is."""
        if judgement.head is None or judgement.manifest is None:
            return judgement
        others = [
            self._stores.vault(one.site_id, Purpose.READ)
            for one in job.copies
            if one.id != copy.id and one.state == SEALED
        ]
        run.must_hold()
        healed = heal(
            judgement,
            judgement.head,
            judgement.manifest,
            self._key(job),
            self._vault(copy.site_id),
            natives=self._sources.natives(run, job),
            others=others,
        )
        with run.write() as (uow, _operation):
            run.journal(uow, f"heal {copy.site_id}", "done", f"{len(healed.keys)} objects put again")
        return self._judge(run, job, copy)

    def _proved(self, run: Run, job: PointJob) -> None:
        """The point is what its copies are; the key is needed no more."""
        right = [copy for copy in job.copies if copy.level == "L1"]
        is_right = bool(right) and not any(copy.state == SUSPECT for copy in job.copies)
        level = {"level": "L1", "verified_at": run.clock.now()} if right else {"level": None}
        with run.write() as (uow, operation):
            move_point(uow, job.point.id, "prove" if is_right else "doubt", **level)
            operation.scratch = {k: v for k, v in operation.scratch.items() if k != SEALED_KEY}
            operation.step = "tidy"

    # -- what both need

    def _key(self, job: PointJob) -> DataKey:
        return self._keyring.take(job.scratch[SEALED_KEY])

    def _vault(self, site_id: str) -> VaultView:
        return VaultView(
            self._stores.vault(site_id, Purpose.WRITE), self._stores.vault(site_id, Purpose.READ)
        )

    def _name(self, job: PointJob, copy: PointCopy) -> tuple[str, str, str]:
        """Of a journal: what was listed anew is numbered anew."""
        return job.point.id, copy.site_id, self._sources.stamp(job)


def _give_up(uow: UnitOfWork, point_id: str, why: str) -> None:
    open_copies = (PointCopy.point_id == point_id, PointCopy.state.in_(OPEN))
    for row in uow.all(PointCopy, *open_copies):
        row.state, row.note = MISSED, why
    uow.flush()
