"""The rbd command as a child, what its answers mean, and the file that says how storage is reached."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import Misconfigured, StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.ports.replication import ReplicaState
from provisioning.drivers.rbd_command import AlreadyThere, NotThere, Rbd, RbdAccess
from provisioning.drivers.rbd_replication import RbdReplication
from provisioning.drivers.rbd_states import behind_s, entries_behind, is_primary_elsewhere, replica, state_of
from provisioning.drivers.storage_file import read_storage

NOW = datetime(2026, 11, 26, 8, 0, 30, tzinfo=UTC)
REPLAYING = 'replaying, {"bytes_per_second":0.0,"entries_behind_primary":%d,"entries_per_second":0.0}'
KEY = "AQBv4AdrSecretSecretSecret=="


def rbd(tmp_path: Path, script: str, answer_s: float = 20) -> Rbd:
    """The command as a shell script that sees its arguments."""
    keyring = tmp_path / "keyring"
    keyring.write_text(f"[client.cloudctl]\n\tkey = {KEY}\n")
    access = RbdAccess("city-1", tmp_path / "ceph.conf", keyring, "cloudctl", "replicated")
    return Rbd(access, ("sh", "-c", script, "rbd"), answer_s)


def test_the_command_is_told_where_and_who_and_never_the_key(tmp_path: Path) -> None:
    said = rbd(tmp_path, 'echo "$@"; env').run("info", "replicated/x")
    assert "--conf" in said
    assert "--name client.cloudctl --keyring" in said
    assert "TZ=UTC" in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("code", "stderr", "expected"),
    [
        (2, "rbd: error opening image x: (2) No such file or directory", NotThere),
        (17, "rbd: failed to create snapshot: (17) File exists", AlreadyThere),
        (16, "rbd: error promoting image to primary", StorageBusy),
        (2, "rbd: couldn't connect to the cluster!", StorageRefused),
        (110, "rbd: timed out", StorageUnavailable),
        (30, "rbd: failed to create snapshot: (30) Read-only file system", StorageBusy),
    ],
)
def test_an_exit_code_is_an_error_with_the_commands_own_words(
    tmp_path: Path, code: int, stderr: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as raised:
        rbd(tmp_path, f"echo 'a line of a log' >&2; echo \"{stderr}\" >&2; exit {code}").run("snap", "create")
    if expected in (StorageBusy, StorageRefused):
        assert stderr.removeprefix("rbd: ") in str(raised.value)


def test_a_storage_that_hangs_is_waited_for_so_long_and_its_child_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="within 0 s"):
        rbd(tmp_path, "exec sleep 600", answer_s=0.2).run("info")


def test_a_program_that_is_missing_and_an_answer_that_is_no_json_are_unavailable(tmp_path: Path) -> None:
    one = rbd(tmp_path, "echo hello")
    with pytest.raises(StorageUnavailable, match="no JSON"):
        one.ask("info")
    with pytest.raises(StorageUnavailable, match="cannot be run"):
        Rbd(one.access, (str(tmp_path / "nothing"),)).run("info")


@pytest.mark.parametrize(
    ("is_primary", "state", "description", "expected"),
    [
        (True, "up+error", "split-brain detected", ReplicaState.PRIMARY),
        (False, "up+replaying", REPLAYING % 0, ReplicaState.REPLICA),
        (False, "up+syncing", "bootstrapping, IMAGE_COPY", ReplicaState.SYNCING),
        (False, "up+error", "split-brain detected", ReplicaState.SPLIT_BRAIN),
        (False, "up+error", "failed to connect to the remote", ReplicaState.STOPPED),
        (False, "up+stopped", "local image is primary", ReplicaState.STOPPED),
        (False, "down+unknown", "status not found", ReplicaState.STOPPED),
        (False, "", "", ReplicaState.STOPPED),
    ],
)
def test_the_image_says_whether_it_is_primary_and_the_daemon_whether_it_follows(
    is_primary: bool, state: str, description: str, expected: ReplicaState
) -> None:
    assert state_of(is_primary, state, description) is expected


def test_a_copy_is_as_old_as_the_report_that_nothing_is_missing_and_what_that_may_be_late() -> None:
    seen_at = datetime(2026, 11, 26, 8, 0, 0, tzinfo=UTC)
    assert behind_s(0, seen_at, NOW) == 40.0
    assert behind_s(3, seen_at, NOW) is None
    assert behind_s(0, None, NOW) is None
    assert entries_behind(REPLAYING % 3) == 3
    assert entries_behind("replaying, {half of") is None


def test_what_the_storage_prints_becomes_a_replica() -> None:
    info = {
        "name": "volume-1", "id": "11a7",
        "mirroring": {"mode": "journal", "state": "enabled", "global_id": "a4e5", "primary": False},
    }  # fmt: skip
    status = {"state": "up+replaying", "description": REPLAYING % 2, "last_update": "2026-11-26 08:00:10"}
    found = replica("1", "city-1", info, status, NOW)
    assert (found.state, found.id, found.copy_id) == (ReplicaState.REPLICA, "a4e5", "11a7")
    assert (found.detail, found.behind_s) == ("2 writes behind", None)
    assert found.seen_at == datetime(2026, 11, 26, 8, 0, 10, tzinfo=UTC)
    plain = replica("1", "city-1", {"name": "volume-1", "mirroring": {"state": "disabled"}}, {}, NOW)
    assert (plain.state, plain.image) == (ReplicaState.ABSENT, "volume-1")


def test_the_other_site_is_primary_only_when_it_has_said_so() -> None:
    primary = {"state": "up+stopped", "description": "local image is primary"}
    assert is_primary_elsewhere({"peer_sites": [primary]})
    assert not is_primary_elsewhere({"peer_sites": [{"state": "up+replaying", "description": REPLAYING % 0}]})
    assert not is_primary_elsewhere({"peer_sites": [{**primary, "state": "down+stopped"}]})
    assert not is_primary_elsewhere({})


def test_a_mark_is_one_word(tmp_path: Path) -> None:
    access = rbd(tmp_path, "exit 1").access
    with pytest.raises(ValueError, match="no word"):
        RbdReplication({"city-1": access}, FrozenClock()).mark("city-1", "1", "two words; rm")


def made(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    for name in ("ceph.conf", "keyring"):
        (tmp_path / name).touch()
    (tmp_path / "keyring").chmod(mode)
    path = tmp_path / "storage.yaml"
    path.write_text(text.replace("HERE", str(tmp_path)))
    return path


GOOD = "storage:\n  city-1: {conf: HERE/ceph.conf, keyring: HERE/keyring, pool: replicated}\n"


def test_a_good_file_is_read_and_none_at_all_means_that_nothing_is_copied(tmp_path: Path) -> None:
    found = read_storage(made(tmp_path, GOOD))
    assert found["city-1"].user == "cloudctl"
    assert found["city-1"].pool == "replicated"
    assert read_storage(tmp_path / "nothing.yaml") == {}


def test_all_faults_of_a_file_come_at_once_with_their_places(tmp_path: Path) -> None:
    text = (
        "storage:\n"
        "  a: {conf: HERE/none.conf, keyring: HERE/keyring, pool: x}\n"
        "  b: {conf: HERE/ceph.conf, pol: x, user: 7}\n"
        "  c: nonsense\n"
    )
    path = made(tmp_path, text, mode=0o644)
    assert stat.S_IMODE((tmp_path / "keyring").stat().st_mode) == 0o644
    with pytest.raises(Misconfigured) as raised:
        read_storage(path)
    places = {(fault.place.rpartition("storage.")[2], fault.code) for fault in raised.value.faults}
    assert places == {
        ("a.conf", "no_file"), ("a.keyring", "too_open"), ("b.keyring", "missing"), ("b.pool", "missing"),
        ("b.pol", "unknown_key"), ("b.user", "bad_type"), ("c", "not_a_mapping"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "storage: 7\n", "- a\n"])
def test_a_file_without_sites_is_a_fault(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured):
        read_storage(made(tmp_path, text))
