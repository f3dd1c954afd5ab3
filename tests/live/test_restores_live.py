"""A real guest gets the volumes of an earlier point, then its own back, and stands once more beside it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import CloudBusy
from cloudctl.models import PointVolume, RecoveryPoint, Resource, Restore
from dr import recording, restore_plan, starting
from dr.restore_flow import RestorePoint
from tests.flows.building import a_vm_draft
from tests.live.guest import Guest, make_key, reach
from tests.live.protecting import CITY, SOURCE, GuardedWorld, a_guarded_world

# Some eight minutes in guests whose processors are emulated: too long for every run.
pytestmark = [pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(2400)]

_PAUSE = threading.Event()  # never set
_CODE = "import urllib.request as u; print(u.urlopen('http://127.0.0.1/notes'{body}).read().decode())"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedWorld]:
    made = a_guarded_world(tmp_path_factory.mktemp("restores") / "home")
    try:
        yield made
    finally:
        _sweep(made)
        made.clean()
        made.core.store.close()


def _sweep(world: GuardedWorld) -> None:
    """Servers and volumes that no request has made."""
    external = world.project().external_id
    if external is None:
        return
    inside = world.cloud.in_project(external)
    for _ in range(120):
        for server in inside.list_servers():
            inside.delete_server(server.id)
        left = inside.list_volumes()
        for one in left if not inside.list_servers() else ():
            try:
                inside.delete_volume(one.id)
            except CloudBusy:
                continue
        for port in inside.list_ports():
            if not port.device_id:
                inside.delete_port(port.id)
        if not left and not inside.list_ports():
            break
        _PAUSE.wait(1)
    with world.core.store.write() as uow:
        uow.update(Resource, Resource.id != "", state="released")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def server(world: GuardedWorld, key: Path) -> Resource:
    """One machine with a database on its data volume."""
    public = key.with_suffix(".pub").read_text().strip()
    draft: dict[str, Any] = {**a_vm_draft(1, (1,)), "flavor": "gov.micro", "boot_gib": 1, "ssh_key": public}
    request_id, operation_id = world.request(draft)
    operation = world.work(operation_id)
    assert operation.state == "done", operation.error_message
    [made] = world.resources(request_id, "server")
    return made


def _write(row: Resource, key: Path, note: str) -> None:
    _ask(row, key, f",b'{note}'")


def _notes(row: Resource, key: Path) -> Any:
    """What the application in the guest has."""
    return _ask(row, key)


def _ask(row: Resource, key: Path, body: str = "") -> Any:
    """What it answers to somebody inside the guest, as soon as it does."""
    guest = Guest(None, None, row.addresses["ipv4"][0], key, "", "", None)
    told: list[Any] = []

    def ask() -> None:
        told[:] = [json.loads(guest.run(f'python3 -c "{_CODE.format(body=body)}"'))]

    reach(ask, Exception)
    return told[0]


def _work(world: GuardedWorld, restore: Restore) -> Restore:
    flow = RestorePoint(world.clouds, world.stores, world.keyring, world.core.settings)
    operation = world.work(int(restore.operation_id or 0), {starting.RESTORE: flow})
    assert operation.state == "done", operation.error_message
    assert operation.started_at is not None
    assert operation.ended_at is not None
    print(f"{restore.mode}: {(operation.ended_at - operation.started_at).total_seconds():.0f} s")
    with world.core.store.read() as uow:
        return uow.need(Restore, restore.id)


def _begin(world: GuardedWorld, point: RecoveryPoint, mode: str, volumes: Any = (), **more: Any) -> Restore:
    external = str(world.project().external_id)
    with world.core.store.write() as uow:
        row = uow.need(RecoveryPoint, point.id)
        made = starting.begin_restore(
            uow, world.clock, row, CITY, SOURCE, external, "carol", volumes, mode, **more
        )
        if mode in restore_plan.BY_TWO:
            starting.start_restore(uow, world.clock, made)
        return made


def _row(world: GuardedWorld, row_id: str) -> Resource:
    with world.core.store.read() as uow:
        return uow.need(Resource, row_id)


def test_a_system_gets_an_earlier_point_and_gets_back_what_it_had(
    world: GuardedWorld, server: Resource, key: Path
) -> None:
    _write(server, key, "before")
    point = world.back_up()
    assert point.state == "protected", point.error_message
    was = _notes(server, key)
    _write(server, key, "after")
    now = _notes(server, key)
    assert now != was

    with world.core.store.read() as uow:
        parts = uow.all(PointVolume, PointVolume.point_id == point.id)
        rows = {row.name: row.id for row in uow.all(Resource, Resource.kind == "volume")}
    volumes = [{"position": one.position, "original": rows[one.name]} for one in parts]
    touched = [{"row": server.id, "name": server.name, "flavor": "gov.micro"}]
    over = _work(world, _begin(world, point, "over", volumes, servers=touched))
    assert _notes(_row(world, server.id), key) == was
    assert _row(world, server.id).addresses == server.addresses

    kept = {word: over.plan[word] for word in ("servers", recording.PAIRS)}
    _work(world, _begin(world, point, "back", of=over.id, **kept))
    assert _notes(_row(world, server.id), key) == now

    one = point.topology["servers"][0]
    beside = _work(world, _begin(world, point, "system", servers=[{**one, "zone": "public"}]))
    [made] = beside.plan["servers"]
    assert _notes(_row(world, made["row"]), key) == was
    assert _notes(_row(world, server.id), key) == now
