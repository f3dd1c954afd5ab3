"""cloudctl's own database in real vaults: copied, locked, proved, and brought back (half a minute)."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.bringing_back import Source, bring_back
from cloudctl.clock import FrozenClock, SystemClock
from cloudctl.config import load
from cloudctl.core import Core
from cloudctl.initialise import Wish
from cloudctl.observing import is_observing
from cloudctl.ports import Purpose, Stores
from cloudctl.store import Store
from dr.database import recovery
from dr.database.fetching import find
from dr.points.head import DATA, HEADS
from provisioning.drivers.s3_stores import S3Stores
from tests.contract.conftest import lab_settings
from tests.contract.vault_bench import HELD_S, VaultBench
from tests.own_database import SITES, Owned, own

pytestmark = pytest.mark.lab


@pytest.fixture
def owned(core: Core) -> Iterator[Owned]:
    stores, name = S3Stores(lab_settings()), f"own-{uuid.uuid4().hex[:8]}"
    settings = replace(core.settings, installation=name, database_keep_s=int(HELD_S))
    made = own(replace(core, settings=settings, clock=SystemClock()), FrozenClock())
    made.clock, made.stores = SystemClock(), stores  # type: ignore[assignment]
    yield made
    for site in SITES:
        clean(stores, site, name)


def clean(stores: Stores, site: str, name: str) -> None:
    for prefix in (f"{HEADS}{name}/", f"{DATA}{name}/"):
        bench = VaultBench(stores, site, SystemClock().now, run=prefix)
        bench.clean()


def test_a_copy_is_locked_in_every_vault_proved_and_brought_back(owned: Owned, tmp_path: Path) -> None:
    copy = owned.back_up()
    assert (copy.state, copy.level, copy.error_message) == ("protected", "L2", None)
    for site in SITES:
        assert copy.vaults[site]["level"] == "L1"
        key = copy.vaults[site]["head_key"]
        assert owned.stores.vault(site, Purpose.READ).head(key).retain_until == copy.locked_until
    vault = owned.stores.vault("city-1", Purpose.READ)
    elsewhere = tmp_path / "elsewhere"
    source = Source(f"s3://{vault.bucket}", owned.core.settings.keys / recovery.PRIVATE)
    found = bring_back(elsewhere, Wish(), source, "local:test", stores=owned.stores)
    assert found.copy.head.point == copy.id
    assert found.examined is not None
    assert not found.examined.faults
    store = Store(load(elsewhere).database_url)
    assert is_observing(store)
    store.close()
    assert [one.head.point for one in find(vault, owned.key).points] == [copy.id]
