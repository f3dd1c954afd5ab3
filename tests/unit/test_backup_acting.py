"""Points taken, proved and given up by people; vaults looked at; how it all stands."""

from datetime import timedelta
from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudUnavailable, Conflict, NotAllowed, NotFound, Refused
from cloudctl.models import AuditEvent, Operation, RecoveryPoint, Vault
from cloudctl.ports import LockMode
from dr import acting, standing, vaults
from dr.vaults import VaultWish
from tests.builders import a_province, an_actor
from tests.protecting import (
    ASSETS,
    BUDGET,
    ENROLL,
    GIB,
    KEY,
    a_point,
    a_policy,
    a_proof,
    a_vault,
    a_volume,
)


class AStore:
    """A bucket that knows its lock, or does not answer."""

    bucket = "vault-city-1"

    def __init__(self, mode: LockMode | None) -> None:
        self._mode = mode

    def lock_mode(self) -> LockMode:
        if self._mode is None:
            raise CloudUnavailable("the store did not answer")
        return self._mode


class Stores:
    def __init__(self, mode: LockMode | None = LockMode.COMPLIANCE) -> None:
        self.mode = mode

    def vault(self, site_id: str, purpose: object) -> Any:
        return AStore(self.mode)


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)


@pytest.fixture
def policy(core: Core) -> int:
    return a_policy(core)


# -- a point now


def test_a_point_is_taken_and_its_operation_is_rung_for(core: Core, policy: int) -> None:
    [row] = acting.run(core, an_actor(core, "bob"), system=BUDGET)
    assert (row["state"], row["kind"], row["site"]) == ("planned", "full", "province")
    with core.store.read() as uow:
        assert uow.need(Operation, row["operation_id"]).kind == "backup"
        assert uow.count(AuditEvent, AuditEvent.action == "backup.run") == 1
    assert core.bell.rung == [row["operation_id"]]  # type: ignore[attr-defined]


def test_a_second_point_of_the_same_waits_for_the_first(core: Core, policy: int) -> None:
    acting.run(core, an_actor(core, "bob"), system=BUDGET)
    with pytest.raises(Conflict):
        acting.run(core, an_actor(core, "bob"), system=BUDGET)


def test_what_is_not_backed_up_or_not_seen_is_not_found(core: Core, policy: int) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("bob", {"system": ASSETS}), ("grace", {"system": BUDGET}), ("dave", {"policy": "x"})
    ]  # fmt: skip
    for user, what in cases:
        with pytest.raises(NotFound):
            acting.run(core, an_actor(core, user), **what)
    with pytest.raises(BadInput):
        acting.run(core, an_actor(core, "dave"))
    with pytest.raises(NotAllowed):
        acting.run(core, an_actor(core, "alice"), system=BUDGET)


# -- proofs


def test_a_proof_is_asked_to_the_level_of_the_policy_from_the_vault_away_from_the_data(
    core: Core, policy: int
) -> None:
    point = a_point(core, core.clock.now())
    proof = acting.prove(core, an_actor(core, "bob"), point[:12])
    assert (proof["level"], proof["site"], proof["state"]) == ("L2", "city-1", "running")
    with pytest.raises(Conflict):
        acting.prove(core, an_actor(core, "bob"), point)
    with pytest.raises(BadInput):
        acting.prove(core, an_actor(core, "bob"), point, "L9")
    with pytest.raises(NotFound):
        acting.prove(core, an_actor(core, "grace"), point)


def test_only_what_the_retention_gives_up_is_given_up_by_hand(core: Core, policy: int) -> None:
    now = core.clock.now()
    old = a_point(core, now - timedelta(days=800))
    points = [a_point(core, now - timedelta(days=n)) for n in range(5, 0, -1)]
    dave = an_actor(core, "dave")
    with pytest.raises(Refused, match="is kept: last"):
        acting.expire(core, dave, points[-1])
    with core.store.write() as uow:
        uow.update(RecoveryPoint, RecoveryPoint.id == old, taken_at=now - timedelta(days=5, hours=1))
    row = acting.expire(core, dave, old)
    assert row["state"] == "expiring"
    with pytest.raises(NotAllowed):
        acting.expire(core, an_actor(core, "carol"), points[0])


# -- vaults


def test_a_vault_is_put_on_record_with_the_lock_that_was_read_back(core: Core) -> None:
    heidi = an_actor(core, "heidi")
    with core.store.write() as uow:
        uow.delete(Vault, Vault.site_id == "city-1")
    with pytest.raises(BadInput) as caught:
        vaults.check(core, heidi, Stores(), "city-1")  # type: ignore[arg-type]
    assert [fault.place for fault in caught.value.faults] == ["escrow_key"]
    wish = VaultWish(KEY, 10 * GIB)
    row = vaults.check(core, heidi, Stores(LockMode.GOVERNANCE), "city-1", wish)  # type: ignore[arg-type]
    assert (row["state"], row["lock_mode"]) == ("ready", "governance")
    with pytest.raises(BadInput):
        vaults.check(core, heidi, Stores(), "city-1", VaultWish("not a key", -1))  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        vaults.check(core, an_actor(core, "carol"), Stores(), "city-1")  # type: ignore[arg-type]


def test_a_vault_that_does_not_answer_keeps_what_was_known_of_it(core: Core) -> None:
    row = vaults.check(core, an_actor(core, "heidi"), Stores(None), "city-1")  # type: ignore[arg-type]
    assert (row["state"], row["lock_mode"], row["note"]) == (
        "unreachable", "compliance", "the store did not answer",
    )  # fmt: skip


def test_a_vault_counts_its_copies_and_knows_when_it_is_full(core: Core, policy: int) -> None:
    a_point(core, core.clock.now())
    wish = VaultWish(limit_bytes=30 * GIB)
    row = vaults.check(core, an_actor(core, "heidi"), Stores(), "city-1", wish)  # type: ignore[arg-type]
    assert row["state"] == "full"
    [shown] = standing.list_vaults(core, an_actor(core, "dave"))
    assert (shown["used_bytes"], shown["free_bytes"]) == (40 * GIB, 0)


# -- how it stands


def test_only_proved_points_count_and_age_with_the_clock(core: Core, clock: FrozenClock, policy: int) -> None:
    dave = an_actor(core, "dave")

    def state() -> tuple[str, str]:
        [member] = standing.members(core, dave)
        [covered] = [row for row in standing.overview(core, dave)["coverage"] if row["id"] == "T2"]
        return member["state"], covered["share"]

    assert state() == ("seeding", "0.00")
    point = a_point(core, clock.now())
    assert state() == ("seeding", "0.00"), "read back, and not restored yet"
    a_proof(core, point, clock.now())
    assert state() == ("protected", "100.00")
    clock.advance(36 * 3600)
    assert state() == ("rpo_at_risk", "100.00")
    clock.advance(24 * 3600)
    assert state() == ("rpo_violated", "0.00")
    a_point(core, clock.now(), state="suspect", level="L2")
    assert state() == ("rpo_violated", "0.00"), "a point in doubt counts nothing"


def test_the_overview_names_who_has_to_be_protected_and_is_not(core: Core) -> None:
    dave = an_actor(core, "dave")
    [row] = standing.overview(core, dave)["unprotected"]
    assert (row["id"], row["tier"]) == (BUDGET, "T2"), "MLPS level 3; the classified system never"
    assert standing.overview(core, an_actor(core, "grace"))["unprotected"] == []
    a_policy(core)
    assert standing.overview(core, dave)["unprotected"] == []


def test_a_policy_shows_what_may_be_lost_with_the_delay_that_was_measured(core: Core, policy: int) -> None:
    shown = standing.show_policy(core, an_actor(core, "dave"), str(policy))
    assert (shown["delay_s"], shown["worst_loss_s"], shown["mean_loss_s"]) == (None, 86_400, 43_200)
    a_point(core, core.clock.now())
    shown = standing.show_policy(core, an_actor(core, "carol"), "省本级关键数据")
    assert (shown["delay_s"], shown["worst_loss_s"], shown["mean_loss_s"]) == (1200, 87_600, 44_400)
    assert (shown["arrangement"], len(shown["members"])) == ("offsite", 1)


def test_a_policy_says_who_keeps_whose_copies(core: Core, policy: int) -> None:
    a_vault(core, "province")
    a_volume(core, ENROLL, "city-1")
    back = {"name": "市到省", "vaults": ["province"], "members": [{"system": ENROLL, "site": "city-1"}]}
    a_policy(core, **back)
    here = {"name": "本地", "tier": "T1", "members": [{"system": ASSETS, "site": "city-1"}]}
    a_policy(core, **here)
    rows = standing.list_policies(core, an_actor(core, "dave"))
    assert {row["name"]: row["arrangement"] for row in rows} == {
        "省本级关键数据": "mutual", "市到省": "hub", "本地": "local",
    }  # fmt: skip


def test_everybody_sees_their_own_members_and_points_alone(core: Core, policy: int) -> None:
    point = a_point(core, core.clock.now())
    for user, count in (("bob", 1), ("carol", 1), ("dave", 1), ("ivan", 1), ("grace", 0), ("heidi", 0)):
        assert len(standing.members(core, an_actor(core, user))) == count, user
    with pytest.raises(NotFound), core.store.read() as uow:
        acting.find_point(uow, an_actor(core, "heidi"), point)
