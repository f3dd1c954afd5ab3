"""L0 and L1 of a proof: the copy read through the credential that reads, and healed where it is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.errors import CloudctlError, Fault, Misconfigured
from cloudctl.models import Operation, PointVolume
from cloudctl.operations import Run
from cloudctl.ports import ObjectStore, Purpose, Stores
from cloudctl.store import UnitOfWork
from dr import proving
from dr.keyring import Keyring
from dr.metering import Meter
from dr.points.blocks import BlockList
from dr.points.checking import Judgement, check
from dr.points.format import Progress
from dr.points.healing import Healed, heal
from dr.points.reading import unlocked
from dr.points.replication import VaultView
from dr.proof_job import ProofJob
from dr.restore_job import links_of
from dr.verifying import blocks_of

Natives = Callable[[Run, ProofJob], Mapping[int, ObjectStore]]  # the source's buckets, by position


@dataclass(frozen=True)
class Found:
    """What reading told in the end, and what was put again on the way."""

    judgement: Judgement
    healed: tuple[str, ...] = ()
    left: tuple[Fault, ...] = ()

    @property
    def level(self) -> str | None:
        return self.judgement.level

    @property
    def why(self) -> str:
        return "; ".join(str(fault) for fault in self.judgement.faults[:5])

    @property
    def is_beyond_help(self) -> bool:
        """Whether something is wrong that neither another vault nor the source has any more."""
        return any(fault.code == "lost" for fault in self.left)

    def told(self) -> dict[str, Any]:
        """As the proof keeps it."""
        one = self.judgement
        return {
            "level": one.level,
            "objects": one.objects,
            "bytes": one.read_bytes,
            "locked_until": one.locked_until.isoformat() if one.locked_until else None,
            "faults": proving.told(one.faults),
            "notes": proving.told(one.notes),
        }


class Reading:
    """Judges one copy."""

    def __init__(self, stores: Stores, keyring: Keyring, natives: Natives | None = None) -> None:
        self._stores = stores
        self._keyring = keyring
        self._of_source = natives or self._natives

    def judge(self, run: Run, job: ProofJob) -> Found | None:
        """None when it had to stop in the middle. Misconfigured when L1 is asked for and no key is here."""
        judgement = self._check(run, job)
        if not judgement.is_complete:
            return None
        if not judgement.broken or judgement.head is None or judgement.manifest is None:
            return Found(judgement)
        healed = self._heal(run, job, judgement)
        again = self._check(run, job)
        return Found(again, healed.keys, healed.left) if again.is_complete else None

    def _check(self, run: Run, job: ProofJob) -> Judgement:
        level = "L0" if job.proof.level == "L0" else "L1"
        escrow = self._keyring.find(self._sites(job))
        if escrow is None and level != "L0":
            self._keyring.need(self._sites(job))

        def write(_uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            operation.progress_total, operation.progress_done = progress.bytes_total, progress.bytes_done
            operation.why = f"reading the vault of {job.proof.site_id}"

        meter = Meter(run, write)
        return check(
            self._stores.vault(job.proof.site_id, Purpose.READ),
            job.copy.head_key,
            self._keyring.trusted(),
            escrow,
            now=run.clock.now(),
            level=level,
            expected_head_sha256=job.copy.head_sha256 or None,
            parents=self._parents(run, job) if level == "L1" else None,
            on_progress=meter.on_progress,
            stop=meter.stop,
        )

    def _parents(self, run: Run, job: ProofJob) -> Mapping[str, BlockList] | None:
        """The blocks of the backups on which increments rest, out of the same vault."""
        if job.point.parent_id is None:
            return None
        vault = self._stores.vault(job.proof.site_id, Purpose.READ)
        escrow = self._keyring.need(self._sites(job))
        with run.store.read() as uow:
            link = links_of(uow, job.point, job.proof.site_id)[-2]
        parent = check(
            vault,
            link.copy.head_key,
            self._keyring.trusted(),
            escrow,
            now=run.clock.now(),
            level="L0",
            expected_head_sha256=link.copy.head_sha256 or None,
        )
        if parent.head is None or parent.manifest is None:
            return None
        key = unlocked(parent.head, escrow)
        found = {
            part.backup_id: blocks_of(vault, parent.manifest, key, part) for part in parent.manifest.parts
        }
        return {backup_id: blocks for backup_id, blocks in found.items() if blocks is not None}

    def _heal(self, run: Run, job: ProofJob, judgement: Judgement) -> Healed:
        assert judgement.head is not None
        assert judgement.manifest is not None
        run.must_hold()
        return heal(
            judgement,
            judgement.head,
            judgement.manifest,
            unlocked(judgement.head, self._keyring.need(self._sites(job))),
            VaultView(
                self._stores.vault(job.proof.site_id, Purpose.WRITE),
                self._stores.vault(job.proof.site_id, Purpose.READ),
            ),
            natives=self._of_source(run, job),
            others=self._others(job),
        )

    def _natives(self, run: Run, job: ProofJob) -> Mapping[int, ObjectStore]:
        """The buckets of the source, as far as anybody knows them."""
        with run.store.read() as uow:
            rows = uow.all(PointVolume, PointVolume.point_id == job.point.id)
        try:
            return {
                row.position: self._stores.native(job.point.site_id, str(row.spec["container"]))
                for row in rows
                if row.spec.get("container")
            }
        except CloudctlError:
            return {}  # the site is no longer in stores.yaml

    def _others(self, job: ProofJob) -> Sequence[ObjectStore]:
        sites = [one.site_id for one in job.copies if one.id != job.copy.id and one.state == "sealed"]
        found = []
        for site in sites:
            try:
                found.append(self._stores.vault(site, Purpose.READ))
            except Misconfigured:
                continue
        return found

    def _sites(self, job: ProofJob) -> list[str]:
        """Whose escrow key may open the point: the vault's own first."""
        return list(dict.fromkeys([job.proof.site_id, *job.point.sealed_key]))
