"""Buckets as members of policies, and brought back by people."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound, Refused
from cloudctl.models import AuditEvent, Operation, PointCopy, PolicyMember, RecoveryPoint, Restore
from cloudctl.ports import Stores
from dr import acting, policies, standing
from dr.buckets import acting as buckets
from dr.buckets.looking import look_at
from dr.policy_check import BucketLook
from dr.policy_form import MemberForm
from provisioning.drivers.fake_objects import FakeStores
from tests.builders import a_province, an_actor
from tests.protecting import ASSETS, BUDGET, a_document, a_point, a_vault, a_volume

FILES = "budget-files"


def a_member(**changes: Any) -> dict[str, Any]:
    return {"kind": "bucket", "system": BUDGET, "site": "province", "name": FILES, **changes}


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)


def apply(core: Core, stores: Stores | None = None, **changes: Any) -> list[dict[str, Any]]:
    document = a_document(**{"name": "buckets", "members": [a_member()], **changes})
    looking: dict[str, Any] = {"look": look_at(lambda: stores)} if stores else {}
    return policies.apply(core, an_actor(core, "dave"), [document], **looking)


def faults_of(core: Core, stores: Stores | None = None, **changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        apply(core, stores, **changes)
    return {(fault.place, fault.code) for fault in caught.value.faults}


def a_bucket_point(core: Core, **columns: Any) -> str:
    apply(core)
    return a_point(core, core.clock.now(), **columns)


def test_a_bucket_becomes_a_member_beside_its_system(core: Core) -> None:
    [row] = apply(core, members=[{"system": BUDGET, "site": "province"}, a_member()])
    assert row["state"] == "new"
    assert [one["code"] for one in row["warnings"]] == ["size_unknown"]
    with core.store.read() as uow:
        members = uow.all(PolicyMember, order_by=[PolicyMember.id])
    assert [(one.kind, one.name) for one in members] == [("system", ""), ("bucket", FILES)]
    told = standing.members(core, an_actor(core, "dave"))
    assert {(one["kind"], one["name"], one["state"]) for one in told} == {
        ("system", "预算管理一体化系统", "seeding"), ("bucket", FILES, "seeding"),
    }  # fmt: skip


def test_all_that_is_wrong_with_a_bucket_comes_at_once(core: Core) -> None:
    stores = FakeStores(core.clock)
    stores.native_bucket("province", "plain").is_versioned = False
    members = [a_member(name="plain"), a_member(name="nowhere"), a_member(name=FILES)]
    stores.native_bucket("province", FILES)
    assert faults_of(core, stores, members=members) == {
        ("members[0].name", "no_versions"), ("members[1].name", "unknown_bucket"),
    }  # fmt: skip
    assert faults_of(core, members=[a_member(name="Files_"), a_member(name="")]) == {
        ("members[0].name", "bad_bucket"), ("members[1].name", "bad_bucket"),
    }  # fmt: skip


def test_a_store_that_does_not_answer_is_said_and_forbids_nothing(core: Core) -> None:
    stores = FakeStores(core.clock)
    stores.native_bucket("province", FILES).is_cut_off = True
    [row] = apply(core, stores)
    assert "bucket_not_seen" in {one["code"] for one in row["warnings"]}


def test_a_policy_with_buckets_demands_what_a_bucket_can_show(core: Core) -> None:
    assert ("members[0]", "bucket_level") in faults_of(core, tier="T3")
    [row] = apply(core)
    assert row["state"] == "new"


def test_a_bucket_belongs_to_one_system(core: Core) -> None:
    apply(core)
    taken = faults_of(core, name="other", members=[a_member(system=ASSETS)])
    assert taken == {("members[0]", "taken")}


def test_buckets_are_looked_at_for_whoever_may_plan_and_for_nobody_else(core: Core) -> None:
    asked: list[Sequence[MemberForm]] = []

    def look(found: Sequence[MemberForm]) -> Mapping[MemberForm, BucketLook]:
        asked.append(found)
        return {}

    with pytest.raises(NotAllowed):
        policies.apply(core, an_actor(core, "alice"), [a_document(members=[a_member()])], look=look)
    assert asked == [[]]


def test_room_is_kept_for_what_the_last_point_had(core: Core) -> None:
    point = a_bucket_point(core, bytes=10 << 30)
    with core.store.write() as uow:
        member = uow.need(PolicyMember, uow.need(RecoveryPoint, point).member_id)
        member.last_point_id = point
    [row] = apply(core, every="1w")
    assert row["warnings"] == []
    assert row["forecast_bytes"] > 10 << 30


def test_a_point_and_a_proof_of_a_bucket_have_flows_of_their_own(core: Core) -> None:
    apply(core)
    [row] = acting.run(core, an_actor(core, "bob"), system=BUDGET)
    point = a_point(core, core.clock.now())
    proof = acting.prove(core, an_actor(core, "bob"), point, "L2")
    with core.store.read() as uow:
        kinds = [uow.need(Operation, one["operation_id"]).kind for one in (row, proof)]
    assert kinds == ["bucket-backup", "bucket-proof"]


def test_a_bucket_is_brought_back_as_of_a_time(core: Core) -> None:
    point = a_bucket_point(core)
    before = core.clock.now() - timedelta(hours=5)
    with pytest.raises(NotAllowed):
        buckets.restore(core, an_actor(core, "carol"), point, "city-1", None, before)
    told = buckets.restore(core, an_actor(core, "dave"), point, "city-1", None, before)
    assert (told["bucket"], told["vault"]) == (f"{FILES}-restored-{told['id']}", "city-1")
    with core.store.read() as uow:
        row = uow.need(Restore, told["id"])
        assert uow.need(Operation, row.operation_id).kind == "bucket-restore"
        [event] = uow.all(AuditEvent, AuditEvent.action == "backup.restore")
    assert row.plan == {"bucket": told["bucket"], "as_of": before.isoformat()}
    assert event.details["bucket"] == told["bucket"]


def test_of_a_named_bucket_the_first_point_after_the_time_is_read(core: Core) -> None:
    apply(core)
    now = core.clock.now()
    older, newer = (a_point(core, now - timedelta(hours=hours)) for hours in (6, 2))
    ask = an_actor(core, "carol")
    key = f"{FILES}@province"
    assert buckets.restore(core, ask, key, as_of=now - timedelta(hours=7))["name"] == older
    assert buckets.restore(core, ask, key, as_of=now - timedelta(hours=5))["name"] == newer
    assert buckets.restore(core, ask, key)["name"] == newer
    for wrong in (
        lambda: buckets.restore(core, ask, key, as_of=now),
        lambda: buckets.restore(core, ask, "other@province"),
        lambda: buckets.restore(core, an_actor(core, "grace"), key),
    ):
        with pytest.raises(NotFound):
            wrong()


def test_what_cannot_be_brought_back_is_said_at_once(core: Core) -> None:
    point = a_bucket_point(core)
    later = core.clock.now() + timedelta(hours=1)
    with pytest.raises(BadInput) as caught:
        buckets.restore(core, an_actor(core, "carol"), point, bucket="No_Bucket", as_of=later)
    assert {(one.place, one.code) for one in caught.value.faults} == {
        ("bucket", "bad_bucket"), ("as_of", "too_late"),
    }  # fmt: skip
    with core.store.write() as uow:
        uow.update(PointCopy, PointCopy.point_id == point, state="missed")
    with pytest.raises(Refused):
        buckets.restore(core, an_actor(core, "carol"), point)


def test_a_point_of_volumes_is_no_bucket(core: Core) -> None:
    policies.apply(core, an_actor(core, "dave"), [a_document()])
    point = a_point(core, core.clock.now())
    with pytest.raises(Refused):
        buckets.restore(core, an_actor(core, "carol"), point)


def test_a_time_is_of_beijing_unless_it_says_otherwise() -> None:
    assert buckets.moment_of(" ") is None
    told = buckets.moment_of("2026-11-20T08:00")
    assert told is not None
    assert told.isoformat() == "2026-11-20T08:00:00+08:00"
    with pytest.raises(BadInput):
        buckets.moment_of("yesterday")
