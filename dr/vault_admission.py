"""Whether the vaults of a policy can take a new point, and the key that it is sealed with.

A vault that cannot be reached does not stop the point: the others go on, and it is waited for later. A vault
without room says so, and the point goes without it; the next one is then a full one.
"""

from collections.abc import Mapping

from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, Misconfigured, VaultFull
from cloudctl.escrow import wrap
from cloudctl.models import PointCopy, RecoveryPoint, Vault
from cloudctl.operations import Run
from cloudctl.ports import Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.keyring import Keyring
from dr.point_job import PointJob
from dr.points.head import point_context

SEALED_KEY = "sealed_key"  # where the operation keeps the data key, in the box, until the head is written


class VaultAdmission:
    """Asks the vaults, and writes down what they said."""

    def __init__(self, stores: Stores, keyring: Keyring) -> None:
        self._stores = stores
        self._keyring = keyring

    def probe(self, job: PointJob) -> Mapping[str, tuple[str, str]]:
        """For the site of each copy the lock mode read back from its vault, and what went wrong."""
        return {copy.site_id: self._probe(copy.site_id) for copy in job.copies}

    def _probe(self, site_id: str) -> tuple[str, str]:
        try:
            return self._stores.vault(site_id, Purpose.READ).lock_mode().value, ""
        except CloudctlError as error:
            return "", error.text()

    def judge(
        self,
        uow: UnitOfWork,
        run: Run,
        job: PointJob,
        probes: Mapping[str, tuple[str, str]],
        needed_bytes: int,
    ) -> None:
        """Write what the vaults said. VaultFull when not a single one has room."""
        has_room = []
        for copy in uow.all(PointCopy, PointCopy.point_id == job.point.id):
            vault = uow.get(Vault, copy.site_id)
            if vault is None:
                copy.state, copy.note = "missed", "the site has no vault"
                continue
            lock_mode, trouble = probes[copy.site_id]
            vault.probed_at, vault.note = run.clock.now(), trouble
            vault.state, vault.lock_mode = (
                ("unreachable" if trouble else "ready"),
                lock_mode or vault.lock_mode,
            )
            copy.lock_mode, copy.note = vault.lock_mode, trouble
            free = None if vault.limit_bytes is None else vault.limit_bytes - vault.used_bytes
            if free is not None and needed_bytes > free:
                vault.state = "full"
                copy.state, copy.note = "missed", f"it has room for {max(0, free)} of {needed_bytes} bytes"
                continue
            has_room.append(copy.site_id)
        uow.flush()
        if not has_room:
            raise VaultFull("no vault has room for {bytes} bytes", bytes=needed_bytes)

    def key(self, uow: UnitOfWork, job: PointJob, point: RecoveryPoint) -> dict[str, str]:
        """A key of this point alone, wrapped for each site that may have to open it; what to keep of it."""
        if SEALED_KEY in job.scratch:
            return {}
        key, context = DataKey.new(), point_context(job.installation, point.id)
        sites = dict.fromkeys([job.site.id, *(copy.site_id for copy in job.copies)])
        vaults = [vault for site in sites if (vault := uow.get(Vault, site)) is not None and vault.escrow_key]
        if not vaults:
            raise Misconfigured("no vault of point {point} has an escrow key", point=point.id)
        point.sealed_key = {vault.site_id: wrap(key, vault.escrow_key, context) for vault in vaults}
        for vault in vaults:
            self._keyring.must_open(vault.site_id, point.sealed_key[vault.site_id], context, key)
        return {SEALED_KEY: self._keyring.keep(key)}
