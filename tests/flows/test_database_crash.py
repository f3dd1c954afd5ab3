"""A worker that copies the database dies anywhere: another one completes the copy, and nothing is over."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.models import DatabaseCopy
from cloudctl.store import Store
from tests.conftest import make_core
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.own_database import Owned, own

SAMPLE = (2, 4, 8, 18, 60, 76)
MOST = 83  # a copy has 82 points; those beyond its end would find it complete


def a_copy_killed_at(at: int, home: Path) -> tuple[Owned, DatabaseCopy, Executioner]:
    """The installation after one worker died there and another one came to the end."""
    home.mkdir()
    clock = FrozenClock()
    owned = own(make_core(home, clock=clock), clock)
    row, executioner = owned.begin(), Executioner(at)
    bucket = owned.stores.vault_bucket("city-1")
    bucket.before, bucket.after = executioner.before, executioner.after
    mortal = MortalStore(owned.core.settings.database_url, executioner)
    dying = replace(owned, core=replace(owned.core, store=mortal))
    try:
        dying.engine().run(row.operation_id or 0)
    except Killed:
        clock.advance(60)
    mortal.close()
    bucket.before = bucket.after = lambda _call: None
    owned.work(row.operation_id)
    return owned, owned.copy(row.id), executioner


@pytest.mark.parametrize(
    "at", [pytest.param(at, marks=[] if at in SAMPLE else pytest.mark.soak) for at in range(1, MOST)]
)
def test_a_copy_survives_the_death_of_its_worker(
    at: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "schema_differences", lambda _store: [])
    owned, copy, _ = a_copy_killed_at(at, home)
    assert (copy.state, copy.level, copy.error_message) == ("protected", "L2", None)
    assert set(copy.vaults) == {told for told in copy.vaults if copy.vaults[told]["level"] == "L1"}
    bucket = owned.stores.vault_bucket("city-1")
    assert {len(versions) for versions in bucket.versions.values()} == {1}, "nothing is put twice"
    assert not list((home / "database-copies").iterdir()), "nothing unsealed stays"
    assert owned.core.audit.verify(owned.core.store).is_intact
    owned.core.store.close()
