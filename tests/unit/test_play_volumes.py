"""A data volume is mounted where it belongs, and a disk with anything on it is never formatted."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbook_modules import load

VOLUME = "3f2a8c1e-90ab-4cde-8f01-23456789abcd"
MIB = 1 << 20


class Bench:
    """The module over files for disks; mounting is written down and not done."""

    def __init__(self, place: Path) -> None:
        self.module = load("data_volume")
        self.place = place
        self.done: list[tuple[str, ...]] = []
        self.module.SYS, self.module.DEV = str(place / "sys"), str(place / "dev")
        self.module.FSTAB = str(place / "fstab")
        (place / "sys" / "vdb").mkdir(parents=True)
        (place / "sys" / "vdb" / "serial").write_text(VOLUME[:20])
        (place / "dev").mkdir()
        (place / "fstab").write_text("/dev/vda1 / ext4 noatime 0 1\n")
        self.disk = place / "dev" / "vdb"
        with self.disk.open("wb") as file:
            file.truncate(64 * MIB)
        self.module.must = self._must
        self.module.mounted_at = lambda _device: None

    def _must(self, *command: str) -> None:
        self.done.append(command)
        if command[0].startswith("mkfs"):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def bring(self, is_check: bool = False, **values: Any) -> dict[str, Any]:
        asked = {"id": VOLUME, "label": "data1", "is_new": True, "fstype": "ext4"}
        asked["path"] = str(self.place / "data")
        told: dict[str, Any] = self.module.bring({**asked, **values}, is_check)
        return told

    @property
    def programs(self) -> list[str]:
        return [command[0] for command in self.done]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_new_blank_volume_gets_a_file_system_and_a_line_in_the_table(bench: Bench) -> None:
    told = bench.bring()
    assert told["done"] == ["formatted", "mounted"]
    assert bench.programs == ["mkfs.ext4", "mount"]
    line = (bench.place / "fstab").read_text().splitlines()[-1]
    uuid = bench.module.contents(str(bench.disk))["UUID"]
    assert line == f"UUID={uuid} {bench.place}/data ext4 defaults,noatime,nofail 0 2"


def test_a_volume_with_a_file_system_is_mounted_and_never_formatted(bench: Bench) -> None:
    bench.bring()
    bench.done.clear()
    told = bench.bring()
    assert told["done"] == ["mounted"]
    assert bench.programs == ["mount"]
    assert len((bench.place / "fstab").read_text().splitlines()) == 2


def test_a_volume_that_is_mounted_already_stays_where_it_is(bench: Bench) -> None:
    bench.module.mounted_at = lambda _device: "/somewhere"
    assert bench.bring() == {
        "changed": False, "device": str(bench.disk), "path": "/somewhere", "done": []
    }  # fmt: skip
    assert bench.done == []


def test_a_check_run_says_what_would_be_done_and_does_nothing(bench: Bench) -> None:
    assert bench.bring(is_check=True)["done"] == ["formatted", "mounted"]
    assert bench.done == []
    assert bench.module.contents(str(bench.disk)) == {}


@pytest.mark.parametrize("at", [0, 1, 4096, 17 * MIB, 32 * MIB, 64 * MIB - 1])
def test_a_single_byte_that_is_looked_at_keeps_a_disk_from_being_formatted(bench: Bench, at: int) -> None:
    with bench.disk.open("r+b") as file:
        file.seek(at)
        file.write(b"\x01")
    with pytest.raises(bench.module.Refusal, match="data of an unknown kind"):
        bench.bring()
    assert bench.done == []


def test_a_disk_with_partitions_a_lock_or_a_table_is_left_as_it_is(bench: Bench) -> None:
    (bench.place / "sys" / "vdb" / "vdb1").mkdir()
    with pytest.raises(bench.module.Refusal, match="has partitions"):
        bench.bring()
    os.rmdir(bench.place / "sys" / "vdb" / "vdb1")
    with bench.disk.open("r+b") as file:
        file.write(b"LUKS\xba\xbe\x00\x01")
    with pytest.raises(bench.module.Refusal):
        bench.bring()
    assert bench.done == []


def test_a_blank_disk_that_was_not_said_to_be_new_is_left_as_it_is(bench: Bench) -> None:
    with pytest.raises(bench.module.Refusal, match="not said to be new"):
        bench.bring(is_new=False)


def test_another_volume_of_the_same_server_is_not_taken_for_it(bench: Bench) -> None:
    with pytest.raises(bench.module.Refusal, match="no disk has the serial"):
        bench.bring(id="aaaaaaaa-90ab-4cde-8f01-23456789abcd")


def test_a_place_with_files_is_not_hidden_and_a_taken_line_not_doubled(bench: Bench) -> None:
    (bench.place / "data").mkdir()
    (bench.place / "data" / "kept").touch()
    with pytest.raises(bench.module.Refusal, match="has files"):
        bench.bring()
    (bench.place / "data" / "kept").unlink()
    with (bench.place / "fstab").open("a") as file:
        file.write(f"/dev/vdc {bench.place}/data xfs defaults 0 0\n")
    with pytest.raises(bench.module.Refusal, match="something else"):
        bench.bring()
