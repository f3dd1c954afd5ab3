"""A worker dies before or after every call to the cloud and every commit; a second one finishes the work.

Each story is first told without a death, to count its points; then once for each point. What must hold
at the end is the same every time: exactly what was asked for, or nothing at all, and rows that agree.
"""

import atexit
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudRejected
from cloudctl.models import Site
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.lanes import Lanes
from tests.conftest import make_core
from tests.flows.building import World, a_request, a_vm_draft, a_world, cancel, needed
from tests.flows.crashing import Executioner, Killed, MortalStore


@dataclass(frozen=True)
class Story:
    """Something that is worked on, and what must be true afterwards."""

    begin: Callable[[World], int]  # the id of the operation that is then run
    check: Callable[[World], None]
    split_tagging: bool = False
    slots: int = 1


def _build(world: World) -> int:
    return a_request(world)[1]


def _built(world: World) -> None:
    assert world.request_state(1) == "delivered"
    assert world.used() == needed(a_vm_draft())
    assert world.operation(1).state == "done", world.operation(1).error_message
    world.assert_exactly(1, servers=2, volumes=6, ports=2)
    assert len(world.cloud.state.projects) == 1
    assert len(world.cloud.state.groups) == 1
    assert world.project().external_id in world.cloud.state.projects
    assert len(world.operation(1).scratch["delivered"]["servers"]) == 2


def _fail(world: World) -> int:
    world.cloud.fail("create_server", nth=2, error=CloudRejected("no", cloud_request_id="req-1"), times=99)
    return a_request(world)[1]


def _undone(world: World) -> None:
    operation = world.operation(1)
    assert operation.state == world.request_state(1) == "failed"
    assert world.used() == Amounts()
    assert (operation.error_code, operation.cloud_request_id) == ("cloud_rejected", "req-1")
    assert world.is_bare(), world.things()
    assert world.states(1) <= {"released"}
    assert world.project().external_id is None
    assert world.project().state == "planned"


def _cancel(world: World) -> int:
    request_id, operation_id = a_request(world)
    calls = {"n": 0}
    inner = world.cloud.state.after

    def ask(call: object) -> None:
        inner(call)  # type: ignore[arg-type]
        if getattr(call, "name", "") == "create_server":
            calls["n"] += 1
            if calls["n"] == 1:
                cancel(world, request_id, operation_id)

    world.cloud.state.after = ask
    return operation_id


def _cancelled(world: World) -> None:
    operation = world.operation(1)
    assert operation.state == "failed"
    assert operation.error_code == world.request_state(1) == "cancelled"
    assert world.used() == Amounts()
    assert world.is_bare(), world.things()
    assert world.states(1) <= {"released"}


def _release(world: World) -> int:
    request_id, operation_id = a_request(world)
    world.work(operation_id)
    servers = [row.id for row in world.resources(request_id, "server")]
    return a_request(world, {"resources": servers[:1], "with_volumes": True}, kind="release")[1]


def _released(world: World) -> None:
    assert world.operation(2).state == "done"
    assert world.used() == needed(a_vm_draft(1))
    assert {kind: len(names) for kind, names in world.things().items()} == {
        "server": 1,
        "volume": 3,
        "port": 1,
    }
    gone = [row for row in world.resources(1) if "vm1" in row.name]
    assert {row.state for row in gone} == {"released"}
    assert all(row.ended_at is not None for row in gone)
    assert {row.state for row in world.resources(1) if "vm2" in row.name} == {"active"}


def _volume(world: World) -> int:
    request_id, operation_id = a_request(world, a_vm_draft(1, ()))
    world.work(operation_id)
    server = world.resources(request_id, "server")[0]
    draft = {
        "volumes": [{"size_gib": 5, "type": "ssd"}, {"size_gib": 6, "type": "ssd"}],
        "attach_to": server.id,
    }
    return a_request(world, draft, kind="volume")[1]


def _volumes_attached(world: World) -> None:
    assert world.operation(2).state == "done"
    assert {row.state for row in world.resources(2)} == {"active"}
    assert world.used() == needed(a_vm_draft(1, ())) + Amounts({Kind.VOLUMES: 2, Kind.VOLUME_GIB: 11})
    [server] = world.cloud.state.servers.values()
    assert len(server.volume_ids) == 3
    assert len(world.cloud.state.volumes) == 3
    assert {volume.status for volume in world.cloud.state.volumes.values()} == {"in-use"}


def _project(world: World) -> int:
    return a_request(world, {}, kind="project")[1]


def _project_made(world: World) -> None:
    assert world.operation(1).state == "done"
    assert list(world.cloud.state.projects) == [world.project().external_id]


STORIES = {
    "build": Story(_build, _built),
    "build side by side": Story(_build, _built, slots=4),
    "build on an older Neutron": Story(_build, _built, split_tagging=True),
    "undo": Story(_fail, _undone),
    "cancel": Story(_cancel, _cancelled),
    "release": Story(_release, _released),
    "volume": Story(_volume, _volumes_attached),
    "project": Story(_project, _project_made),
}
SAMPLE = 4  # of the points of a story in an ordinary run; the soak takes all


@cache
def _template() -> Path:
    """A home with the province in it, made once and copied for each telling."""
    home = Path(tempfile.mkdtemp(prefix="cloudctl-crash-")) / "home"
    home.mkdir()
    atexit.register(shutil.rmtree, home.parent, ignore_errors=True)
    clock = FrozenClock()
    a_world(make_core(home, clock=clock), clock).core.store.close()
    return home


def _world(home: Path, story: Story) -> World:
    clock = FrozenClock()
    shutil.copytree(_template(), home)
    cloud = FakeCloud("province", clock, split_tagging=story.split_tagging)
    world = World(make_core(home, clock=clock), clock, cloud)
    with world.core.store.write() as uow:
        uow.need(Site, "province").slots = story.slots
    return world


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    world = _world(home, story)
    operation_id = story.begin(world)
    executioner = Executioner(at)
    store = MortalStore(world.core.settings.database_url, executioner)
    state = world.cloud.state
    was_after = state.after

    def after(call: object) -> None:
        was_after(call)  # type: ignore[arg-type]
        executioner.after(call)  # type: ignore[arg-type]

    state.before, state.after = executioner.before, after
    mortal = World(_with_store(world, store), world.clock, world.cloud, Lanes())
    try:
        mortal.work(operation_id)
    except Killed:
        pass
    finally:
        store.close()
    state.before, state.after = (lambda _call: None), was_after
    if executioner.is_dead and world.operation(operation_id).ended_at is None:
        if world.operation(operation_id).lease_owner is not None:
            assert not world.engine().run(operation_id), "the dead worker's lease must still hold"
        world.clock.advance(world.core.settings.lease_s + 1)
        world.work(operation_id)
    story.check(world)
    world.assert_settled()
    world.core.store.close()
    return executioner


def _with_store(world: World, store: MortalStore) -> Core:
    return replace(world.core, store=store)


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_without_a_death(name: str, tmp_path: Path) -> None:
    assert len(_tell(tmp_path / "home", STORIES[name], 0).points) > 10


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_leaves_nothing_twice_and_nothing_over(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_leaves_nothing_twice_and_nothing_over(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
