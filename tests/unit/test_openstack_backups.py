"""What the driver asks of Cinder about snapshots and backups, and how it takes the odd answers."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import CloudBusy, CloudConflict, CloudNotFound, CloudRejected, CloudUnavailable
from cloudctl.ports import BackupRecord, Cloud, NewBackup, NewSnapshot
from tests.unit.stub_openstack import (
    OWN_PROJECT,
    Answer,
    StubOpenStack,
    clouds_of,
    running,
    write_clouds_yaml,
)

PROJECT = "b" * 32
OWN, INSIDE = f"/volume/v3/{OWN_PROJECT}", f"/volume/v3/{PROJECT}"
ROW: dict[str, Any] = {
    "id": "b1", "name": "nightly", "status": "available", "volume_id": "v1", "size": 2,
    "os-backup-project-attr:project_id": PROJECT, "is_incremental": True, "has_dependent_backups": False,
    "metadata": {"cloudctl:point": "p1", "other": "x"}, "snapshot_id": "s1", "container": "volumebackups",
    "object_count": 7, "data_timestamp": "2026-11-21T08:00:00.000000", "fail_reason": None,
}  # fmt: skip


def record(**fields: object) -> BackupRecord:
    url = base64.b64encode(json.dumps(fields).encode()).decode()
    return BackupRecord("cinder.backup.drivers.s3.S3BackupDriver", url)


def refusal(status: int, message: str, **headers: str) -> Answer:
    word = {400: "badRequest", 404: "itemNotFound", 413: "overLimit"}.get(status, "error")
    return Answer(status, {word: {"code": status, "message": message}}, headers)


@pytest.fixture
def stub() -> Iterator[StubOpenStack]:
    with running() as made:
        yield made


@pytest.fixture
def cloud(stub: StubOpenStack, tmp_path: Path) -> Iterator[Cloud]:
    made = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url))
    yield made.at("province")
    made.close()


def test_a_backup_is_listed_with_what_the_flows_need_of_it(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer("GET", f"{INSIDE}/backups/detail", Answer(body={"backups": [ROW]}))
    [found] = cloud.in_project(PROJECT).list_backups()
    assert dict(found.tags) == {"cloudctl:point": "p1"}
    assert found.data_at == datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert (found.project_id, found.snapshot_id, found.object_count) == (PROJECT, "s1", 7)
    assert (found.is_incremental, found.has_dependents, found.error) == (True, False, None)


def test_a_backup_is_asked_for_of_a_volume_in_use_with_its_tags(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer("POST", f"{INSIDE}/backups", Answer(202, {"backup": {"id": "b1", "name": "nightly"}}))
    new = NewBackup("nightly", "v1", {"cloudctl:point": "p1"}, "s1", is_incremental=True)
    made = cloud.in_project(PROJECT).create_backup(new)
    [asked] = stub.calls("POST", f"{INSIDE}/backups")
    assert asked.body["backup"] == {
        "name": "nightly", "volume_id": "v1", "incremental": True, "force": True, "snapshot_id": "s1",
        "metadata": {"cloudctl:point": "p1"},
    }  # fmt: skip
    assert (made.id, made.status, made.is_incremental) == ("b1", "creating", True)


def test_an_old_cinder_is_not_sent_what_it_does_not_know(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.cinder = "3.40"
    stub.answer("POST", f"{INSIDE}/backups", Answer(202, {"backup": {"id": "b1", "name": "n"}}))
    row = {"id": "s1", "name": "s", "status": "creating", "volume_id": "v1", "size": 2, "metadata": {}}
    stub.answer("POST", f"{INSIDE}/snapshots", Answer(202, {"snapshot": row}))
    inside = cloud.in_project(PROJECT)
    inside.create_backup(NewBackup("n", "v1", {"cloudctl:point": "p1"}))
    inside.create_snapshot(NewSnapshot("s", "v1", {}))
    assert "metadata" not in stub.calls("POST", f"{INSIDE}/backups")[0].body["backup"]
    assert stub.calls("POST", f"{INSIDE}/snapshots")[0].body["snapshot"]["force"] is True


def test_room_is_opened_for_the_one_snapshot_that_the_quota_refused(
    stub: StubOpenStack, cloud: Cloud
) -> None:
    row = {"id": "s1", "name": "s", "status": "creating", "volume_id": "v1", "size": 2, "metadata": {}}
    over = refusal(413, "SnapshotLimitExceeded: Maximum number of snapshots allowed (0) exceeded")
    stub.answer("POST", f"{INSIDE}/snapshots", over, Answer(202, {"snapshot": row}))
    stub.answer("GET", f"{OWN}/volumes/v1", Answer(body={"volume": {"id": "v1", "size": 2}}))

    def used(limit: int, in_use: int) -> dict[str, int]:
        return {"limit": limit, "in_use": in_use, "reserved": 0}

    quota = {
        "snapshots": used(0, 0), "backups": used(0, 3), "backup_gigabytes": used(-1, 9),
        "gigabytes": used(100, 2),
    }  # fmt: skip
    stub.answer("GET", f"{OWN}/os-quota-sets/{PROJECT}", Answer(body={"quota_set": quota}))
    stub.answer("PUT", f"{OWN}/os-quota-sets/{PROJECT}", Answer(body={"quota_set": {}}))
    made = cloud.in_project(PROJECT).create_snapshot(NewSnapshot("s", "v1", {}))
    assert made.id == "s1"
    [asked] = stub.calls("PUT", f"{OWN}/os-quota-sets/{PROJECT}")
    assert asked.body["quota_set"] == {"snapshots": 1, "backups": 4}


def test_room_that_became_free_meanwhile_is_not_opened_again(stub: StubOpenStack, cloud: Cloud) -> None:
    row = {"id": "s1", "name": "s", "status": "creating", "volume_id": "v1", "size": 2, "metadata": {}}
    over = refusal(413, "SnapshotLimitExceeded: Maximum number of snapshots allowed (1) exceeded")
    stub.answer("POST", f"{INSIDE}/snapshots", over, over, Answer(202, {"snapshot": row}))
    stub.answer("GET", f"{OWN}/volumes/v1", Answer(body={"volume": {"id": "v1", "size": 2}}))
    words = ("snapshots", "backups", "backup_gigabytes", "gigabytes")
    quota = {word: {"limit": 10, "in_use": 0, "reserved": 0} for word in words}
    stub.answer("GET", f"{OWN}/os-quota-sets/{PROJECT}", Answer(body={"quota_set": quota}))
    assert cloud.in_project(PROJECT).create_snapshot(NewSnapshot("s", "v1", {})).id == "s1"
    assert stub.calls("PUT", f"{OWN}/os-quota-sets/{PROJECT}") == []


def test_a_snapshot_that_another_reads_is_busy_and_a_broken_volume_is_not(
    stub: StubOpenStack, cloud: Cloud
) -> None:
    passing = 'Snapshot to be backed up must be available, but the current status is "backing-up".'
    broken = 'Volume to be backed up must be available or in-use, but the current status is "error".'
    stub.answer("POST", f"{INSIDE}/backups", refusal(400, passing), refusal(400, broken))
    inside = cloud.in_project(PROJECT)
    with pytest.raises(CloudBusy):
        inside.create_backup(NewBackup("n", "v1", {}, "s1"))
    with pytest.raises(CloudRejected):
        inside.create_backup(NewBackup("n", "v1", {}))


def test_deleting_is_busy_with_dependents_fine_when_gone_and_waits_for_a_service(
    stub: StubOpenStack, cloud: Cloud
) -> None:
    path = f"{INSIDE}/backups/b1"
    stub.answer(
        "DELETE",
        path,
        refusal(400, "Incremental backups exist for this backup."),
        refusal(404, "Backup b1 could not be found."),
        refusal(404, "Service cinder-backup could not be found."),
    )
    inside = cloud.in_project(PROJECT)
    with pytest.raises(CloudBusy):
        inside.delete_backup("b1")
    inside.delete_backup("b1")
    with pytest.raises(CloudUnavailable) as refused:
        inside.delete_backup("b1")
    assert refused.value.retry


def test_a_record_of_a_known_backup_is_refused_before_cinder_is_asked(
    stub: StubOpenStack, cloud: Cloud
) -> None:
    stub.answer("GET", f"{OWN}/backups/b1", Answer(body={"backup": ROW}))
    with pytest.raises(CloudConflict):
        cloud.import_backup(record(id="b1", size=2))
    assert stub.calls("POST", f"{OWN}/backups/import_record") == []


def test_a_record_is_imported_by_hand_at_the_address_of_the_import(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer(
        "GET",
        f"{OWN}/backups/b1",
        refusal(404, "Backup b1 could not be found."),
        Answer(body={"backup": ROW}),
    )
    stub.answer("POST", f"{OWN}/backups/import_record", Answer(201, {"backup": {"id": "b1"}}))
    given = record(id="b1", size=2)
    assert cloud.import_backup(given).id == "b1"
    [asked] = stub.calls("POST", f"{OWN}/backups/import_record")
    assert asked.body == {"backup-record": {"backup_service": given.service, "backup_url": given.url}}


@pytest.mark.parametrize("url", ["", "no base64!", base64.b64encode(b"[]").decode()])
def test_what_is_no_record_is_refused(cloud: Cloud, url: str) -> None:
    with pytest.raises(CloudRejected):
        cloud.import_backup(BackupRecord("driver", url))


def test_an_import_without_a_service_is_worth_another_try(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer("POST", f"{OWN}/backups/import_record", refusal(503, "Service x could not be found."))
    with pytest.raises(CloudUnavailable):
        cloud.import_backup(record(id="b1", size=2))


def test_exporting_tells_what_is_not_there_from_what_is_not_ready(stub: StubOpenStack, cloud: Cloud) -> None:
    told = {"backup-record": {"backup_service": "driver", "backup_url": "url"}}
    stub.answer(
        "GET",
        f"{OWN}/backups/b1/export_record",
        refusal(404, "Backup b1 could not be found."),
        refusal(400, "Backup status must be available and not creating."),
        Answer(body=told),
    )
    with pytest.raises(CloudNotFound):
        cloud.export_backup("b1")
    with pytest.raises(CloudBusy):
        cloud.export_backup("b1")
    assert cloud.export_backup("b1") == BackupRecord("driver", "url")


def test_what_hangs_is_set_free_with_its_snapshot_and_its_volume(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer("GET", f"{OWN}/backups/b1", Answer(body={"backup": {**ROW, "status": "creating"}}))
    stub.answer("GET", f"{OWN}/snapshots/s1", Answer(body={"snapshot": {"status": "backing-up"}}))
    volume = {"status": "backing-up", "attachments": [{"server_id": "x"}]}
    stub.answer("GET", f"{OWN}/volumes/v1", Answer(body={"volume": volume}))
    for path in ("backups/b1", "snapshots/s1", "volumes/v1"):
        stub.answer("POST", f"{OWN}/{path}/action", Answer(202))
    cloud.reset_stuck("b1")
    asked = {one.path.removeprefix(OWN): one.body for one in stub.asked if one.path.endswith("/action")}
    assert {path: body["os-reset_status"]["status"] for path, body in asked.items()} == {
        "/backups/b1/action": "error", "/snapshots/s1/action": "available", "/volumes/v1/action": "in-use",
    }  # fmt: skip


def test_setting_free_what_is_gone_or_well_asks_for_nothing(stub: StubOpenStack, cloud: Cloud) -> None:
    cloud.reset_stuck("b2")
    stub.answer("GET", f"{OWN}/backups/b1", Answer(body={"backup": ROW}))
    stub.answer("GET", f"{OWN}/volumes/v1", Answer(body={"volume": {"status": "in-use"}}))
    cloud.reset_stuck("b1")  # its snapshot is gone
    assert [one for one in stub.asked if one.path.endswith("/action")] == []


def test_each_backup_service_says_whether_it_is_up(stub: StubOpenStack, cloud: Cloud) -> None:
    rows = [
        {"host": "a", "state": "up", "status": "enabled"},
        {"host": "b", "state": "down", "status": "enabled"},
        {"host": "c", "state": "up", "status": "disabled"},
    ]
    stub.answer("GET", f"{OWN}/os-services", Answer(body={"services": rows}))
    assert [service.is_ok for service in cloud.backup_services()] == [True, False, False]


def test_tags_are_put_in_the_place_of_all_others(stub: StubOpenStack, cloud: Cloud) -> None:
    stub.answer("PUT", f"{INSIDE}/volumes/v1/metadata", Answer(body={"metadata": {}}))
    cloud.in_project(PROJECT).tag_volume("v1", {"cloudctl:resource": "r1"})
    [asked] = stub.calls("PUT", f"{INSIDE}/volumes/v1/metadata")
    assert asked.body == {"metadata": {"cloudctl:resource": "r1"}}
