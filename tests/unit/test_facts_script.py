"""What the script beside the agent says of its machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dr.agents import facts_script
from dr.marks import TAG_REHEARSAL


def test_the_uuid_is_the_first_that_is_told(tmp_path: Path) -> None:
    told = tmp_path / "product_uuid"
    told.write_text("2F3A-11\n")
    assert facts_script.uuid((str(tmp_path / "none"), str(told))) == "2f3a-11"
    assert facts_script.uuid((str(tmp_path / "none"),)) == ""


@pytest.fixture
def mounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mount` and `umount` that copy a directory and take the copy away."""
    programs = {
        "mount": '[ "$1 $2" = "-o ro" ] && exec cp -r "$3/." "$4"',
        "umount": f'echo "$1" >>{tmp_path}/umounted; rm -r "$1"/*',
    }
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("mounting")
@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (json.dumps({"uuid": "x", "meta": {TAG_REHEARSAL: "yes", "cloudctl:drill": "7"}}), True),
        (json.dumps({"uuid": "x", "meta": {"cloudctl:restore": "7"}}), False),
        (json.dumps({"uuid": "x"}), False),
        ("{", False),
        (None, False),
    ],
)
def test_a_rehearsal_is_what_the_metadata_on_the_config_drive_calls_so(
    tmp_path: Path, text: str | None, is_one: bool
) -> None:
    drive = tmp_path / "drive"
    (drive / "openstack" / "latest").mkdir(parents=True)
    if text is not None:
        (drive / "openstack" / "latest" / "meta_data.json").write_text(text)
    assert facts_script.is_rehearsal((str(tmp_path / "none"), str(drive))) is is_one
    assert len((tmp_path / "umounted").read_text().splitlines()) == 1


def test_where_there_is_no_drive_the_script_says_no() -> None:
    assert not facts_script.is_rehearsal(("/dev/none",))
    done = subprocess.run([sys.executable, facts_script.__file__, "uuid"], capture_output=True, check=True)
    assert done.stdout.decode().strip() == facts_script.uuid()
