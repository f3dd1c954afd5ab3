"""An installation with vaults and a recovery key, and whoever copies its database into them."""

from dataclasses import dataclass

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.escrow import EscrowKey
from cloudctl.models import DatabaseCopy, Operation, Vault
from cloudctl.operations import Engine
from cloudctl.secrets import Box, Signer
from dr.database import copies, recovery
from dr.database.flow import BackUpDatabase
from dr.database.job import KIND
from dr.keyring import Keyring
from provisioning.drivers.fake_objects import FakeStores
from tests.builders import a_province

SITES = ("province", "city-1")


@dataclass
class Owned:
    """The installation, the stores of its sites, and a worker."""

    core: Core
    clock: FrozenClock
    stores: FakeStores
    keyring: Keyring
    key: EscrowKey

    def engine(self) -> Engine:
        """A worker of its own: nothing but the database and the home is shared with the others."""
        settings = self.core.settings
        flow = BackUpDatabase(self.stores, self.keyring, settings)
        return Engine(self.core.store, self.clock, {KIND: flow}, settings.lease_s)

    def begin(self) -> DatabaseCopy:
        """A new copy, not worked on yet."""
        with self.core.store.write() as uow:
            return copies.begin(uow, self.clock, self.core.settings, "dave")

    def back_up(self) -> DatabaseCopy:
        """A new copy, worked on to its end."""
        row = self.begin()
        self.work(row.operation_id)
        return self.copy(row.id)

    def prove(self, copy_id: str) -> DatabaseCopy:
        """An old copy, looked at again."""
        with self.core.store.write() as uow:
            row = uow.need(DatabaseCopy, copy_id)
            copies.begin_proof(uow, self.clock, row)
        self.work(row.operation_id)
        return self.copy(copy_id)

    def work(self, operation_id: int | None) -> Operation:
        """Run the operation to its end, waiting as long as it takes."""
        assert operation_id is not None
        engine, rounds = self.engine(), 0
        while self.operation(operation_id).ended_at is None:
            if not engine.run(operation_id):
                ahead = (self.operation(operation_id).next_at - self.clock.now()).total_seconds()
                self.clock.advance(max(5, ahead))
            rounds += 1
            assert rounds < 200, self.operation(operation_id).why
        return self.operation(operation_id)

    def operation(self, operation_id: int | None) -> Operation:
        with self.core.store.read() as uow:
            return uow.need(Operation, operation_id)

    def copy(self, copy_id: str) -> DatabaseCopy:
        with self.core.store.read() as uow:
            return uow.need(DatabaseCopy, copy_id)

    def change(self, number: int = 1) -> None:
        """Something happens that the audit chain knows of."""
        with self.core.store.write() as uow:
            self.core.audit.record(uow, "test", "test.write", "thing", number)


def own(core: Core, clock: FrozenClock) -> Owned:
    """A small province with a vault at each of its two sites."""
    settings = core.settings
    a_province(core)
    Signer.make_key(settings.keys / "points.key")
    Box.make_key(settings.keys / "box.key")
    signer = Signer(settings.keys / "points.key")
    key = recovery.make(settings, settings.keys / recovery.PRIVATE, signer.public, clock.now())
    with core.store.write() as uow:
        for site in SITES:
            uow.add(Vault(site_id=site, bucket=f"vault-{site}", lock_mode="compliance", escrow_key="ab" * 32))
    keyring = Keyring(signer, Box(settings.keys / "box.key"))
    made = Owned(core, clock, FakeStores(clock, SITES), keyring, key)
    made.change()
    return made
