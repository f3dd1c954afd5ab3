"""Points brought back by people: looked at first, asked for, decided by a second person, taken back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    OverQuota,
    Refused,
    SecondPersonNeeded,
    WrongState,
)
from cloudctl.models import (
    AuditEvent,
    Notice,
    Operation,
    PointVolume,
    QuotaRow,
    RecoveryPoint,
    Resource,
    Restore,
)
from cloudctl.ports import Clouds
from dr import restore_asking
from dr.restore_asking import Asked
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.builders import a_province, a_resource, an_actor
from tests.protecting import ASSETS, BUDGET, ENROLL, a_point, a_policy, a_vault, a_volume

PROJECT = f"{BUDGET}/prod@province"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)
    a_vault(core)
    a_volume(core)
    a_policy(core)


@pytest.fixture
def clouds(clock: FrozenClock) -> Iterator[Clouds]:
    yield FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")})


@pytest.fixture
def point(core: Core) -> str:
    return a_point_of_a_server(core)


def a_point_of_a_server(core: Core) -> str:
    """A point of the system's one volume, which a server that was made here boots from."""
    row = a_point(core, core.clock.now())
    with core.store.write() as uow:
        [volume] = uow.all(Resource)
        [part] = uow.all(PointVolume)
        part.name, part.volume_id = volume.name, str(volume.external_id)
        uow.need(RecoveryPoint, row).topology = {
            "servers": [{"name": "vm1", "flavor": "gov.small", "zone": "public", "boot": 0, "data": []}]
        }
        boot = volume.id
    port = a_resource(core, PROJECT, {}, kind="port", name="vm1-port", external_id="port-1", spec={})
    spec = {"boot": boot, "data": [], "port": port, "flavor": "gov.small"}
    a_resource(core, PROJECT, {}, name="vm1", external_id="server-1", spec=spec)
    return row


def over(point: str) -> Asked:
    return Asked(point, "over", reason="勒索软件")


def state_of(core: Core, restore_id: int) -> str:
    with core.store.read() as uow:
        return uow.need(Restore, restore_id).state


# -- new volumes


def test_a_point_comes_back_as_new_volumes_in_the_systems_own_project(core: Core, point: str) -> None:
    asked = Asked(point, volumes=({"position": 0, "name": "again"},))
    row = restore_asking.ask(core, an_actor(core, "carol"), asked)
    with core.store.read() as uow:
        made = uow.need(Restore, row["id"])
        assert uow.need(Operation, made.operation_id).kind == "restore"
        rows = uow.all(Resource, Resource.name == "again")
    assert (made.to_site_id, made.from_site_id, made.state) == ("province", "city-1", "asked")
    assert made.to_project == f"x-{PROJECT}"
    assert [(one.state, one.amounts) for one in rows] == [("building", {"volumes": 1, "volume_gib": 100})]


def test_a_restore_needs_a_project_of_the_same_department(core: Core, point: str) -> None:
    dave = an_actor(core, "dave")
    asked = Asked(point, site="city-1")
    with pytest.raises(Refused, match="no project"):
        restore_asking.ask(core, dave, asked)
    a_volume(core, ENROLL, "city-1")
    with pytest.raises(Refused, match="another department"):
        restore_asking.ask(core, dave, replace(asked, project=f"{ENROLL}-prod"))
    a_volume(core, ASSETS, "city-1")
    beside = restore_asking.ask(core, dave, replace(asked, project=f"{ASSETS}-prod"))
    assert beside["vault"] == "city-1"
    with pytest.raises(BadInput):
        restore_asking.ask(core, dave, Asked(point, volumes=({"position": 7},)))
    with pytest.raises(NotAllowed):
        restore_asking.ask(core, an_actor(core, "bob"), Asked(point))
    with pytest.raises(NotFound):
        restore_asking.ask(core, dave, Asked("no-such-point"))


def test_the_quota_refuses_unless_whoever_sets_quotas_says_so(core: Core, point: str) -> None:
    with core.store.write() as uow:
        uow.add(
            QuotaRow(
                scope_kind="project",
                scope_id=PROJECT,
                site="province",
                kind="volume_gib",
                limit=50,
                guarantee=0,
            )
        )
    with pytest.raises(OverQuota):
        restore_asking.ask(core, an_actor(core, "dave"), Asked(point))
    beyond = Asked(point, is_beyond_quota=True)
    with pytest.raises(NotAllowed):
        restore_asking.ask(core, an_actor(core, "carol"), beyond)
    assert restore_asking.ask(core, an_actor(core, "dave"), beyond)["state"] == "asked"


# -- what would happen


def test_a_preview_shows_the_mapping_and_changes_nothing(core: Core, clouds: Clouds, point: str) -> None:
    row = restore_asking.preview(core, an_actor(core, "carol"), clouds, Asked(point, "system"))
    assert (row["state"], row["faults"], row["project"]) == ("possible", [], PROJECT)
    assert [(one["size_gib"], one["type"]) for one in row["volumes"]] == [(100, "standard")]
    assert [(one["flavor"], one["network"]) for one in row["servers"]] == [("gov.small", "zone-public")]
    assert row["needed"] == {
        "instances": 1, "vcpus": 1, "ram_mib": 1024, "volumes": 1, "volume_gib": 100, "ports": 1,
    }  # fmt: skip
    with core.store.read() as uow:
        assert uow.count(Restore) == 0


def test_a_preview_tells_everything_that_is_in_the_way_at_once(
    core: Core, clouds: FakeClouds, point: str
) -> None:
    with core.store.write() as uow:
        uow.add(
            QuotaRow(
                scope_kind="project",
                scope_id=PROJECT,
                site="province",
                kind="volume_gib",
                limit=50,
                guarantee=0,
            )
        )
    province: Any = clouds.at("province")
    province.state.flavors.clear()
    asked = Asked(point, "system", zones={"public": "moon"})
    row = restore_asking.preview(core, an_actor(core, "carol"), clouds, asked)
    assert row["state"] == "impossible"
    assert [one.code for one in row["faults"]] == ["no_flavor", "no_network", "over_quota"]
    nowhere = restore_asking.preview(core, an_actor(core, "dave"), clouds, Asked(point, site="city-1"))
    assert [(one.place, one.code) for one in nowhere["faults"]] == [("project", "refused")]


def test_a_cloud_that_does_not_answer_is_a_fault_like_others(core: Core, point: str) -> None:
    row = restore_asking.preview(core, an_actor(core, "carol"), FakeClouds({}), Asked(point))
    assert [(one.place, one.code) for one in row["faults"]] == [("site", "no_answer")]


# -- over what is there


def test_over_what_is_there_waits_for_a_second_person(core: Core, point: str) -> None:
    row = restore_asking.ask(core, an_actor(core, "carol"), over(point))
    assert (row["state"], row["operation_id"]) == ("awaiting", None)
    with pytest.raises(SecondPersonNeeded):
        restore_asking.approve(core, an_actor(core, "carol"), row["id"])
    with pytest.raises(NotAllowed):
        restore_asking.approve(core, an_actor(core, "bob"), row["id"])
    with core.store.read() as uow:
        assert not uow.count(Operation)
    begun = restore_asking.approve(core, an_actor(core, "dave"), row["id"], "同意")
    assert begun["state"] == "asked"
    with core.store.read() as uow:
        made = uow.need(Restore, row["id"])
        assert (made.decided_by, made.opinion, len(made.plan["pairs"])) == ("dave", "同意", 1)
        assert uow.need(Operation, made.operation_id).state == "queued"
        assert uow.count(AuditEvent, AuditEvent.action == "backup.restore.approve") == 1
    with pytest.raises(WrongState):
        restore_asking.approve(core, an_actor(core, "dave"), row["id"])


def test_who_may_decide_is_told_and_asked_no_longer_once_somebody_has(core: Core, point: str) -> None:
    row = restore_asking.ask(core, an_actor(core, "dave"), over(point))
    with core.store.read() as uow:
        assert [one.user_id for one in uow.all(Notice, Notice.needs_action.is_(True))] == ["carol"]
    with pytest.raises(BadInput):
        restore_asking.reject(core, an_actor(core, "carol"), row["id"], " ")
    restore_asking.reject(core, an_actor(core, "carol"), row["id"], "先查清原因")
    assert state_of(core, row["id"]) == "rejected"
    with core.store.read() as uow:
        assert not uow.count(Notice, Notice.needs_action.is_(True), Notice.done_at.is_(None))


def test_whoever_asked_takes_it_back(core: Core, point: str) -> None:
    row = restore_asking.ask(core, an_actor(core, "carol"), over(point))
    restore_asking.reject(core, an_actor(core, "carol"), row["id"], "")
    assert state_of(core, row["id"]) == "withdrawn"


def test_over_needs_a_reason_and_the_same_site(core: Core, point: str) -> None:
    asked: dict[str, Any] = {"site": "city-1"}
    a_volume(core, BUDGET, "city-1")
    with pytest.raises(BadInput) as caught:
        restore_asking.ask(core, an_actor(core, "dave"), Asked(point, "over", **asked))
    assert {(one.place, one.code) for one in caught.value.faults} >= {
        ("reason", "missing"), ("site", "other_site"),
    }  # fmt: skip


def test_only_an_exchange_that_is_done_is_undone_and_by_two_people(core: Core, point: str) -> None:
    carol, dave = an_actor(core, "carol"), an_actor(core, "dave")
    row = restore_asking.ask(core, carol, over(point))
    restore_asking.approve(core, dave, row["id"])
    with pytest.raises(WrongState):
        restore_asking.undo(core, carol, row["id"], "新卷不可用")
    with core.store.write() as uow:
        made = uow.need(Restore, row["id"])
        made.state = "done"
    with pytest.raises(BadInput):
        restore_asking.undo(core, carol, row["id"], "")
    back = restore_asking.undo(core, carol, row["id"], "新卷不可用")
    assert (back["state"], back["mode"]) == ("awaiting", "back")
    with pytest.raises(SecondPersonNeeded):
        restore_asking.approve(core, carol, back["id"])
    assert restore_asking.approve(core, dave, back["id"])["state"] == "asked"
    other = restore_asking.ask(core, carol, over(point))
    with pytest.raises(Conflict):
        restore_asking.approve(core, dave, other["id"])
