"""What falls due, and a restore with its quota, on PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import OverQuota
from cloudctl.models import QuotaRow, RecoveryPoint
from dr import restore_asking
from dr.restore_asking import Asked
from dr.tick import begin_due
from tests.builders import a_province, an_actor
from tests.conftest import make_core
from tests.protecting import a_point, a_policy, a_proof, a_vault, a_volume
from tests.unit.test_restore_asking import PROJECT, a_point_of_a_server

pytestmark = pytest.mark.postgres


@pytest.fixture
def core(postgres_url: str, home: Path, clock: FrozenClock) -> Iterator[Core]:
    made = make_core(home, postgres_url, clock)
    a_province(made)
    a_vault(made)
    a_volume(made)
    a_policy(made)
    yield made
    made.store.close()


def test_what_falls_due_is_the_same_as_on_sqlite(core: Core, clock: FrozenClock) -> None:
    point = a_point(core, clock.now())
    assert len(begin_due(core).proofs) == 1, "read back, and not restored yet"
    assert begin_due(core).proofs == ()
    with core.store.read() as uow:
        assert uow.need(RecoveryPoint, point).expires_at is not None
    old = a_point(core, clock.now() - timedelta(days=30))
    a_proof(core, old, clock.now(), site_id="province")
    assert begin_due(core).proofs == (), "one of its member goes on"


def test_the_quota_refuses_a_restore_that_does_not_fit(core: Core) -> None:
    point = a_point_of_a_server(core)
    with core.store.write() as uow:
        row = {"scope_kind": "project", "scope_id": PROJECT, "site": "province", "kind": "volume_gib"}
        uow.add(QuotaRow(limit=150, guarantee=0, **row))
    carol = an_actor(core, "carol")
    assert restore_asking.ask(core, carol, Asked(point))["state"] == "asked"
    with pytest.raises(OverQuota):
        restore_asking.ask(core, carol, Asked(point))
