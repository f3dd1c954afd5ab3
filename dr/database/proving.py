"""The proof of a copy: read back from every vault (L1), brought back out of one and examined (L2)."""

import shutil
from collections.abc import Mapping

from cloudctl import dumps
from cloudctl.actors import Role
from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, Fault, LeaseLost, Misconfigured, NotProved, StoreUnavailable
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import DatabaseCopy, RoleGrant
from cloudctl.notices import tell
from cloudctl.operations import Run
from cloudctl.ports import Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.database import recovery
from dr.database.examining import examine
from dr.database.fetching import fetch
from dr.database.folder import Folder
from dr.database.job import PROTECTED, SEALED, SUBJECT, SUSPECT, CopyJob, load, write_vault
from dr.database.packing import DATABASE
from dr.keyring import Keyring
from dr.metering import Meter
from dr.points.checking import check
from dr.points.head import point_context
from dr.points.healing import heal
from dr.points.judging import Judgement
from dr.points.picking import pick_head
from dr.points.putting import VaultView

_MOST = 5  # faults that are put on record


class Proving:
    """Proves one copy, from every vault that has it."""

    def __init__(self, stores: Stores, keyring: Keyring, settings: Settings) -> None:
        self._stores = stores
        self._keyring = keyring
        self._settings = settings

    def prove(self, run: Run, job: CopyJob) -> Outcome | None:
        """Judge each vault's copy, heal what can be, bring one back; what holds now is written on the row.

        A vault that does not answer keeps what was known of it.
        """
        key = self._key(job)
        checked: dict[str, str | None] = dict(job.scratch.get("checked") or {})
        for site in job.sites(SEALED, SUSPECT):
            if site in checked:
                continue
            try:
                judgement = self._judged(run, job, site, key)
            except (LeaseLost, StoreUnavailable):
                raise
            except CloudctlError as error:
                with run.write() as (uow, _operation):
                    write_vault(uow, job.copy.id, site, note=error.text())
                    run.journal(uow, f"check {site}", "failed", error.text(), error.cloud_request_id)
                continue
            if not judgement.is_complete:
                return Later(0, "stopped in the middle of a check")
            checked[site] = judgement.level
            self._record(run, job, site, judgement, checked)
        self._conclude(run, load(run, self._settings), checked, key)
        return None

    def _key(self, job: CopyJob) -> DataKey:
        """The data key: out of the head's wrapping where the recovery key is here, which proves that too.

        NotProved when it does not open; Misconfigured where no key is here at all.
        """
        private, copy = recovery.private_half(self._settings), job.copy
        kept = self._keyring.take(copy.kept_key) if copy.kept_key else None
        if private is None or private.id != copy.key_id:
            if kept is None:
                raise Misconfigured("the recovery key of the copy is not here: it cannot be opened")
            return kept
        key = private.unwrap(copy.wrapped_key, point_context(self._settings.installation, copy.id))
        if kept is not None and kept.raw != key.raw:
            raise NotProved("the recovery key does not open the copy")
        return key

    def _judged(self, run: Run, job: CopyJob, site: str, key: DataKey) -> Judgement:
        judgement = self._judge(run, job, site, key)
        if not judgement.broken or judgement.head is None or judgement.manifest is None:
            return judgement
        others = [one for one in job.sites(SEALED) if one != site]
        run.must_hold()
        healed = heal(
            judgement,
            judgement.head,
            judgement.manifest,
            key,
            VaultView(self._stores.vault(site, Purpose.WRITE), self._stores.vault(site, Purpose.READ)),
            natives={0: Folder(job.folder)},
            others=[self._stores.vault(one, Purpose.READ) for one in others],
        )
        with run.write() as (uow, _operation):
            run.journal(uow, f"heal {site}", "done", f"{len(healed.keys)} objects put again")
        return self._judge(run, job, site, key)

    def _judge(self, run: Run, job: CopyJob, site: str, key: DataKey) -> Judgement:
        return check(
            self._stores.vault(site, Purpose.READ),
            job.head_key(site),
            self._keyring.trusted(),
            key,
            now=run.clock.now(),
            expected_head_sha256=job.copy.head_sha256,
            stop=Meter(run, lambda *_: None).stop,
        )

    def _record(
        self, run: Run, job: CopyJob, site: str, judgement: Judgement, checked: Mapping[str, str | None]
    ) -> None:
        is_right = judgement.level == "L1"
        told = {
            "state": SEALED if is_right else SUSPECT,
            "level": judgement.level,
            "checked_at": run.clock.now().isoformat(),
            "note": "; ".join(str(fault) for fault in judgement.faults[:_MOST]),
        }
        with run.write() as (uow, operation):
            write_vault(uow, job.copy.id, site, **told)
            operation.scratch = {**operation.scratch, "checked": dict(checked)}
            run.journal(uow, f"check {site}", "done" if is_right else "failed", str(told["note"]))

    def _conclude(self, run: Run, job: CopyJob, checked: Mapping[str, str | None], key: DataKey) -> None:
        """What the copy is worth now. Nothing is said when no vault could be looked at."""
        if not checked:
            raise Misconfigured("no vault that has the copy answered")
        right = sorted(site for site, level in checked.items() if level == "L1")
        level, why = max((level for level in checked.values() if level), default=None), ""
        is_whole = len(right) == len(checked)
        if right:
            level, why, has_failed = self._bring_back(run, job, right[0], key)
            is_whole = is_whole and not has_failed
        else:
            why = "no vault has a copy that reads back"
        with run.write() as (uow, _operation):
            row = uow.need(DatabaseCopy, job.copy.id)
            if not is_whole and row.state != SUSPECT:
                _tell(uow, run, row, why)
            row.level, row.verified_at = level, run.clock.now() if level else None
            row.state = PROTECTED if is_whole else SUSPECT
            row.error_code, row.error_message = ("not_proved", why) if not is_whole else (None, why or None)
            run.journal(uow, "prove", "done" if is_whole else "failed", why or f"proved to {level}")

    def _bring_back(self, run: Run, job: CopyJob, site: str, key: DataKey) -> tuple[str, str, bool]:
        """The level, a reason where it is not L2, and whether what came back is wrong."""
        folder = job.proof_folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            faults, told = self._examined(run, job, site, key)
        except NotProved as error:
            faults, told = error.faults or (Fault(site, error.code, error.template, error.params),), ""
        except Misconfigured as error:
            return "L1", error.text(), False
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if faults:
            return "L1", "; ".join(str(one) for one in faults[:_MOST]), True
        with run.write() as (uow, _operation):
            run.journal(uow, f"restore {site}", "done", told)
        return "L2", "", False

    def _examined(self, run: Run, job: CopyJob, site: str, key: DataKey) -> tuple[tuple[Fault, ...], str]:
        facts, folder = job.copy.facts, job.proof_folder
        vault = self._stores.vault(site, Purpose.READ)
        head = pick_head(vault, job.head_key(site), self._keyring.trusted()).head
        assert head is not None  # it was judged a moment ago
        fetch(vault, head, key, folder)
        name = f"cloudctl_proof_{job.copy.id.replace('-', '')[:16]}"
        with dumps.loaded(folder / DATABASE, facts["dialect"], run.store, folder, name) as store:
            found = examine(store, folder, facts, run.clock)
        return found.faults, f"{found.rows} rows, {found.events} events of the audit chain"


def _tell(uow: UnitOfWork, run: Run, copy: DatabaseCopy, why: str) -> None:
    """Who administers the whole has to know that the database could not be brought back from this copy."""
    people = uow.column(RoleGrant.user_id, RoleGrant.role == Role.PROVINCE_ADMIN.value)
    template = "copy {number} of the own database is not whole: {why}"
    tell(uow, run.clock, people, template, {"number": copy.sequence, "why": why}, (SUBJECT, copy.id))
