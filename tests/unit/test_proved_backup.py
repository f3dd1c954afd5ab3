"""The verified rate asks for a proved backup: yes while it is young, no afterwards, unknown before."""

from datetime import date, datetime, timedelta

import pytest

from cloudctl.actors import Actor
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import InformationSystem, PointProof, RecoveryPoint
from tenants.migration.evidence import of_system
from tenants.migration.figures import rate
from tenants.migration.measures import figures
from tenants.migration.scopes import Scope
from tenants.migration.targets import Figure
from tests.builders import an_actor
from tests.conftest import make_core
from tests.counted_register import MOVED, a_province_without_systems, a_system, runs
from tests.protecting import BUDGET, a_point, a_policy, a_proof, a_vault, a_volume

DAY = 86_400


@pytest.fixture
def dave(core: Core) -> Actor:
    """A moved system of DR tier 2 of which everything else is proved."""
    a_province_without_systems(core)
    a_system(core, BUDGET, dr_tier=2, old_host_off_on=date(2026, 1, 1), **MOVED)
    runs(core, BUDGET, core.clock.now() - timedelta(days=365))
    a_vault(core)
    a_volume(core)
    return an_actor(core, "dave")


def says(core: Core, actor: Actor, on: date | None = None) -> tuple[str, str]:
    """The answer of the piece of evidence, and why."""
    [piece] = [
        one for one in of_system(core, actor, BUDGET, on)["evidence"] if one["name"] == "proved_backup"
    ]
    return str(piece["value"]), piece["template"].format(**piece["params"])


def counted(core: Core, actor: Actor) -> tuple[int | str, int]:
    """How many are verified and how many unknown in the province."""
    row = rate(core, actor, "division:450000")[0]
    return row["verified"], row["unknown"]


def keep_running(core: Core, clock: FrozenClock, seconds: float) -> None:
    """Time goes by, and looks go on finding the system."""
    clock.advance(seconds)
    runs(core, BUDGET, clock.now() - timedelta(days=365))


def test_before_there_was_a_policy_nobody_can_know(core: Core, dave: Actor) -> None:
    assert says(core, dave) == ("unknown", "no restore has been proved yet")
    assert counted(core, dave) == (0, 1)


def test_a_point_counts_once_it_was_restored_at_another_site(core: Core, dave: Actor) -> None:
    a_policy(core)
    assert says(core, dave)[0] == "no"
    assert counted(core, dave) == (0, 0)
    point = a_point(core, core.clock.now())
    assert says(core, dave)[0] == "no", "read back is not restored"
    a_proof(core, point, core.clock.now(), site_id="province")
    assert says(core, dave)[0] == "no", "the vault beside the data proves nothing about its loss"
    a_proof(core, point, core.clock.now(), level="L3", reached="L2", state="inconclusive")
    assert says(core, dave)[0] == "no"
    a_proof(core, point, core.clock.now())
    answer, why = says(core, dave)
    assert (answer, why.endswith("was restored from another site and proved to L2")) == ("yes", True)
    assert counted(core, dave) == (1, 0)


def test_a_proof_ages_with_the_clock(core: Core, dave: Actor, clock: FrozenClock) -> None:
    a_policy(core)  # a point a day, a proof in seven days: sixteen days are allowed
    a_proof(core, a_point(core, clock.now()), clock.now())
    keep_running(core, clock, 16 * DAY)
    assert says(core, dave)[0] == "yes"
    keep_running(core, clock, 1)
    assert says(core, dave) == ("no", "no point that is young enough was restored from another site")
    assert counted(core, dave) == (0, 0)


def test_a_past_day_is_counted_by_what_was_proved_then(core: Core, dave: Actor, clock: FrozenClock) -> None:
    before = clock.now().date()
    keep_running(core, clock, 2 * DAY)
    a_policy(core)
    point = a_point(core, clock.now())
    a_proof(core, point, clock.now())
    proved_on = clock.now().date()
    keep_running(core, clock, 40 * DAY)
    assert says(core, dave)[0] == "no"
    assert says(core, dave, proved_on)[0] == "yes"
    assert says(core, dave, proved_on + timedelta(days=20))[0] == "no"
    assert says(core, dave, before)[0] == "unknown", "nobody kept policies yet"
    with core.store.write() as uow:
        uow.update(RecoveryPoint, RecoveryPoint.id == point, state="expired", ended_at=clock.now())
    assert says(core, dave, proved_on)[0] == "yes", "it was there then"


def test_a_point_that_was_found_wrong_proves_nothing(core: Core, dave: Actor, clock: FrozenClock) -> None:
    a_policy(core)
    point = a_point(core, clock.now())
    a_proof(core, point, clock.now())
    keep_running(core, clock, DAY)
    a_proof(core, point, clock.now(), state="failed", reached=None)
    assert says(core, dave)[0] == "no"
    keep_running(core, clock, DAY)
    a_proof(core, point, clock.now())
    assert says(core, dave)[0] == "yes", "healed, and proved again"
    with core.store.write() as uow:
        uow.update(RecoveryPoint, RecoveryPoint.id == point, state="suspect")
    assert says(core, dave)[0] == "no"


def test_a_single_volume_is_no_backup_of_the_system(core: Core, dave: Actor, clock: FrozenClock) -> None:
    a_policy(core, members=[{"system": BUDGET, "site": "province", "name": f"{BUDGET}-data"}])
    a_proof(core, a_point(core, clock.now()), clock.now())
    assert says(core, dave)[0] == "no"


def test_targets_for_key_data_count_what_is_proved(core: Core, dave: Actor, clock: FrozenClock) -> None:
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, has_key_data=True, dr_tier=2)

    def figure() -> Figure:
        scope = Scope("division", "450000")
        with core.store.read() as uow:
            return figures(uow, clock.now(), "key_data_offsite_rate", [scope])[str(scope)]

    assert figure() == Figure(0, 1, 1), "nobody can know"
    a_policy(core)
    assert figure() == Figure(0, 1, 0)
    a_proof(core, a_point(core, clock.now()), clock.now())
    assert figure() == Figure(100, 1, 0)
    clock.advance(17 * DAY)
    assert figure() == Figure(0, 1, 0)


@pytest.mark.postgres
def test_on_postgresql_the_same_is_counted(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    core = make_core(tmp_path_factory.mktemp("proved"), database=postgres_url)
    a_province_without_systems(core)
    a_system(core, BUDGET, dr_tier=2, old_host_off_on=date(2026, 1, 1), **MOVED)
    runs(core, BUDGET, core.clock.now() - timedelta(days=365))
    a_vault(core)
    a_volume(core)
    dave = an_actor(core, "dave")
    a_policy(core)
    point = a_point(core, core.clock.now() - timedelta(days=15))
    a_proof(core, point, core.clock.now())
    assert says(core, dave)[0] == "yes"
    with core.store.write() as uow:
        at: datetime = core.clock.now() - timedelta(days=17)
        uow.update(RecoveryPoint, RecoveryPoint.id == point, taken_at=at)
        assert uow.count(PointProof) == 1
    assert says(core, dave)[0] == "no"
    core.store.close()
