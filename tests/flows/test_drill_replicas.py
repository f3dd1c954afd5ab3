"""Drills of what the storage replicates: copies of a moment, adopted in the drill's project, taken away."""

from dataclasses import replace

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.models import Drill, ProtectionPlan, Resource, Site
from dr.plans.document import Way
from dr.plans.facts import Outside
from dr.plans.looking import look_at
from dr.reports.assembling import rpo_of
from dr.reports.gathering import of_drill
from dr.ways import beating
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_state import Call
from provisioning.drivers.fake_storage import image_of
from tests.builders import a_resource
from tests.flows import rehearsing
from tests.flows.protecting import CITY, SOURCE, Protected, protect
from tests.flows.rehearsing import PARTS, SMALL
from tests.flows.replicating import Replicating, describe_system, replicate


@pytest.fixture
def world(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Protected:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)
    monkeypatch.setattr("dr.drills.flow.LINGERS_S", 60)
    made = protect(core, clock, vault_sites=[CITY], sizes_gib=(1,), layout=SMALL)
    with core.store.write() as uow:
        uow.need(Site, CITY).slots = 4
    return rehearsing.patient(made)


@pytest.fixture
def scene(world: Protected) -> Replicating:
    return replicate(world)


def test_a_drill_writes_to_copies_of_a_moment_and_leaves_nothing_behind(scene: Replicating) -> None:
    world, storage = scene.world, scene.storage
    before = len(rehearsing.changes_of(world, SOURCE))
    row = scene.work(scene.begin(hold_s=600), until="holding")
    assert (row.verdict, row.why) == ("passed", "")
    assert row.point_id is None
    made = row.made["replicas"]
    assert len(made["volumes"]) == len(scene.volumes) == 3
    for position, volume_id in made["volumes"].items():
        assert storage.read(CITY, image_of(volume_id)) == scene.data_of(made["pairs"][position])
        storage.images[CITY][image_of(volume_id)].story = ()  # the rehearsal writes what it likes
    assert {one.type for one in world.clouds[CITY].state.volumes.values()} == {"rehearsal"}
    storage.write(SOURCE, scene.volumes[0], b"the system goes on")
    row = scene.work(row)
    assert (row.verdict, row.left_behind) == ("passed", [])
    scene.assert_gone()
    assert len(rehearsing.changes_of(world, SOURCE)) == before, "no cloud of the province was touched"
    assert storage.read(CITY, scene.volumes[0]) == b"the system goes on", "the replica went on"


def test_what_a_loss_would_have_cost_is_told_by_the_last_beat_that_had_arrived(scene: Replicating) -> None:
    scene.storage.delay = 5
    scene.beat()
    scene.world.clock.advance(40)
    for one in scene.volumes:
        scene.storage.write(SOURCE, one, b"on its way")
    row = scene.rehearse()
    assert row.verdict == "passed"
    assert row.rpo_s == 40.0
    scene.assert_gone()


def test_without_a_beat_it_is_how_long_the_moment_was_on_its_way(scene: Replicating) -> None:
    scene.storage.delay = 3
    for one in scene.volumes:
        scene.storage.write(SOURCE, one, b"newer than what is there")
    row = scene.rehearse()
    assert row.verdict == "passed"
    assert row.rpo_s is not None
    assert 0 < row.rpo_s < 60
    scene.assert_gone()


def test_a_source_that_is_away_keeps_its_moments_and_the_drill_says_so_until_they_are_gone(
    scene: Replicating,
) -> None:
    row = scene.work(scene.begin(hold_s=600), until="holding")
    scene.storage.cut.add(SOURCE)
    row = scene.work(row, until="cleanup_incomplete")
    assert row.verdict == "passed"
    assert row.left_behind == ["3 copies"]
    scene.storage.cut.clear()
    assert scene.work(row).left_behind == []
    scene.assert_gone()


def test_the_moments_go_where_the_volumes_are_written_after_a_move(scene: Replicating) -> None:
    row = scene.work(scene.begin(hold_s=600), until="holding")
    for one in scene.volumes:
        scene.replication.demote(SOURCE, one)
        scene.settle()
        scene.replication.promote(CITY, one)
    row = scene.work(row)
    assert row.left_behind == []
    scene.settle()
    assert not any(image.moments for image in scene.storage.images[CITY].values())


def test_an_image_that_cinder_could_not_adopt_is_copied_and_adopted_anew(scene: Replicating) -> None:
    state = scene.world.clouds[CITY].state
    tried: list[str] = []

    def seize(call: Call) -> None:
        if call.name == "adopt_volume" and not tried:
            tried.append(call.subject)
            [copy] = [one for one in scene.storage.images[CITY].values() if not one.pair_id][:1]
            copy.held = 1

    state.after = seize
    row = scene.rehearse()
    assert (row.verdict, list(row.made["replicas"]["tried"].values())) == ("passed", [1])
    scene.assert_gone()


def test_a_moment_that_never_arrives_says_nothing_about_the_plan(scene: Replicating) -> None:
    scene.storage.delay = 10**9
    row = scene.rehearse()
    assert row.verdict == "inconclusive"
    assert row.why == "what was written at province has not arrived at city-1 within 60 s"
    scene.assert_gone()


def test_without_a_type_for_rehearsals_nothing_is_copied(scene: Replicating) -> None:
    """Adopted under the type of the system, the copies of the drill would be replicated themselves."""
    types = scene.world.clouds[CITY].state.volume_types
    types.pop(next(key for key, one in types.items() if one.name == "rehearsal"))
    row = scene.rehearse()
    assert row.verdict == "inconclusive"
    assert [one["code"] for one in row.seen["faults"]] == ["no_type"]
    assert not [one for one in scene.replication.calls if one[0] == "moment"]
    scene.assert_gone()


def test_a_volume_that_is_in_no_pair_is_named(scene: Replicating) -> None:
    for site in scene.storage.images.values():
        site.pop(image_of(scene.volumes[0]))
    row = scene.rehearse()
    assert row.verdict == "inconclusive"
    assert f"city-1 has no copy of volume {scene.volumes[0]}" in str(row.seen["faults"])


def test_a_volume_that_was_attached_since_the_newest_point_stops_the_drill_before_it_begins(
    scene: Replicating,
) -> None:
    with scene.world.core.store.write() as uow:
        [server] = uow.all(Resource, Resource.name == "budget-vm2")
        project = server.project_id
    assert project is not None
    a_resource(
        scene.world.core, project, {}, kind="volume", name="budget-new", external_id="new-id",
        spec={"size_gib": 1, "type": "replicated", "server": server.id},
    )  # fmt: skip
    with pytest.raises(Refused) as refused:
        scene.begin()
    [fault] = refused.value.faults
    assert (fault.place, fault.code) == ("parts.app", "volumes_changed")
    assert "budget-new" in fault.text()
    describe_system(scene.world)
    assert scene.begin().state == "requested"


def test_parts_of_several_ways_are_rehearsed_from_one_point_that_somebody_names(scene: Replicating) -> None:
    world = scene.world
    parts = (*(replace(one, way=Way.REPLICATION) for one in PARTS[:2]), PARTS[2])
    document = rehearsing.a_document(parts=parts)
    with world.core.store.write() as uow:
        [plan] = uow.all(ProtectionPlan)
        plan.document, plan.sha256 = document.as_json(), document.sha256
    with pytest.raises(Refused) as refused:
        scene.begin()
    assert [one.code for one in refused.value.faults] == ["mixed_ways"]
    point = world.back_up("full")
    row = rehearsing.rehearse(world, point=point.id)
    assert (row.verdict, row.point_id) == ("passed", point.id)


def test_the_report_says_that_the_data_came_from_replicas(scene: Replicating) -> None:
    row = scene.rehearse()
    with scene.world.core.store.read() as uow:
        given = of_drill(uow, uow.need(Drill, row.id), scene.world.core.settings.sentinels)
    assert (rpo_of(given), given.point) == (row.rpo_s, {})


def test_beats_tell_a_plans_health_how_far_its_copies_are_behind(scene: Replicating) -> None:
    world, storage = scene.world, scene.storage
    storage.delay = 5
    assert beating.beat_all(world.core, scene.replication) == 3
    scene.settle()
    for one in scene.volumes:
        storage.write(SOURCE, one, b"on its way")
    world.clock.advance(100)
    outside = Outside(FakeClouds(world.clouds), replication=scene.replication)
    with world.core.store.read() as uow:
        [plan] = uow.all(ProtectionPlan)
    look = look_at(world.core, outside, plan)
    assert look.health.behind_s == 100.0
    assert not [one for one in look.readiness.blocks if one.code == "volumes_changed"]
    storage.cut.add(SOURCE)
    assert beating.beat_all(world.core, scene.replication) == 0
    world.clock.advance(50)
    storage.cut.clear()
    scene.replication.demote(SOURCE, scene.volumes[0])
    assert beating.beat_all(world.core, scene.replication) == 2, "one is not primary: it moves"


def test_readiness_names_what_changed_since_the_newest_point(scene: Replicating) -> None:
    world = scene.world
    with world.core.store.write() as uow:
        [gone] = uow.all(Resource, Resource.external_id == scene.volumes[0])
        gone.state = "released"
        [plan] = uow.all(ProtectionPlan)
    outside = Outside(FakeClouds(world.clouds), replication=scene.replication)
    found = look_at(world.core, outside, plan).readiness.blocks
    [changed] = [one for one in found if one.code == "volumes_changed"]
    assert scene.volumes[0] in changed.text()
