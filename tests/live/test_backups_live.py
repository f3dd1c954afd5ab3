"""What the lab's Cinder leaves behind is set free; the states are forced as an administrator can."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest

from cloudctl.errors import CloudBusy
from cloudctl.ports import Backup, NewBackup, NewSnapshot, Snapshot
from provisioning.drivers.s3_stores import S3Stores
from tests.contract.conftest import lab_cloud, lab_settings
from tests.contract.workbench import ROOM, Bench

pytestmark = pytest.mark.lab


@pytest.fixture
def bench() -> Iterator[Bench]:
    cloud = lab_cloud()
    domain = cloud.find_domain("Default")
    assert domain is not None
    project = cloud.create_project(domain.id, f"stuck-{uuid.uuid4().hex[:8]}", "", [])
    cloud.set_quota(project.id, ROOM)
    cloud.ensure_own_access(project.id)
    made = Bench(cloud, project.id, 0.3, S3Stores(lab_settings()).native("province"))
    yield made
    made.clean()
    cloud.delete_project(project.id)


@pytest.fixture
def force() -> Iterator[Callable[[str, str], None]]:
    """Sets the status of a thing, as somebody with the client could."""
    path = str(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml")
    config = openstack.config.OpenStackConfig(config_files=[path], load_envvars=False)
    with contextlib.closing(openstack.connection.Connection(config=config.get_one("province"))) as admin:
        cinder: Any = admin.block_storage

        def to(where: str, status: str) -> None:
            answer = cinder.post(f"/{where}/action", json={"os-reset_status": {"status": status}})
            assert answer.status_code == 202, answer.text

        yield to


def snapshot(bench: Bench, one_id: str, status: str) -> Snapshot | None:
    return next((s for s in bench.inside.list_snapshots() if (s.id, s.status) == (one_id, status)), None)


def backup(bench: Bench, one_id: str, status: str) -> Backup | None:
    return next((b for b in bench.inside.list_backups() if (b.id, b.status) == (one_id, status)), None)


def test_the_snapshot_of_a_backup_that_was_given_up_is_set_free_and_both_can_be_deleted(
    bench: Bench, force: Callable[[str, str], None]
) -> None:
    inside = bench.inside
    volume = inside.create_volume(bench.new_volume("stuck"))
    bench.volume(volume.id, "available")
    taken = inside.create_snapshot(NewSnapshot(f"s-{bench.run}", volume.id, bench.tags()))
    bench.until(lambda: snapshot(bench, taken.id, "available"), "snapshot made")
    made = inside.create_backup(NewBackup(f"b-{bench.run}", volume.id, bench.tags(), taken.id))
    bench.until(lambda: backup(bench, made.id, "available"), "backup made")
    force(f"backups/{made.id}", "error")
    force(f"snapshots/{taken.id}", "backing-up")
    bench.until(lambda: backup(bench, made.id, "error"), "backup given up")
    with pytest.raises(CloudBusy):
        inside.delete_snapshot(taken.id)

    bench.cloud.reset_stuck(made.id)
    assert snapshot(bench, taken.id, "available")
    inside.delete_backup(made.id)
    inside.delete_snapshot(taken.id)
    bench.until(lambda: None if inside.list_backups() or inside.list_snapshots() else True, "all gone")
    assert [one.key for one in bench.native.list(f"volume_{volume.id}/")] == []
