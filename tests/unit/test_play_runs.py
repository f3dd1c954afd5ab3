"""One run of Ansible: what it leaves, what it is given, and what becomes of the leftovers of dead ones."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl.errors import BadInput, Misconfigured
from cloudctl.ports import Ending, Host, Play
from cloudctl.secrets import SshKey
from provisioning.drivers.ansible_plays import AnsiblePlays, shipped_playbooks
from provisioning.drivers.play_directory import end_processes, play_directory, sweep
from provisioning.drivers.play_events import Collector

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "tests" / "data" / "plays"
SECRET = "only-for-the-worker"


@pytest.fixture
def plays(tmp_path: Path) -> AnsiblePlays:
    return AnsiblePlays(tmp_path, tmp_path / "keys" / "guests.key", PLAYBOOKS)


def here(place: Path) -> Host:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return Host("here", "127.0.0.1", "here", variables={**local, "place": str(place)})


def files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file() and path.name != "guests.key"]


def test_a_run_leaves_nothing_and_has_no_secret_in_files_arguments_or_environment(
    plays: AnsiblePlays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCTL_DATABASE", f"postgresql://cloudctl:{SECRET}@db/cloudctl")
    plays.public_key()
    private = (tmp_path / "keys" / "guests.key").read_text().splitlines()[1]
    seen: list[str] = []
    words: list[str] = []

    def look(_host: str, _task: str, _outcome: str) -> None:
        [place] = (tmp_path / "plays").iterdir()
        assert place.stat().st_mode & 0o777 == 0o700
        seen.extend(str(path.relative_to(place)) for path in files(place))
        words.extend(path.read_text(errors="replace") for path in files(place))
        mine = f"AWX_ISOLATED_DATA_DIR={place}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ, arguments = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mine in environ:
                words.extend([environ.decode(errors="replace"), arguments.decode(errors="replace")])

    result = plays.run(Play("note", (here(tmp_path / "word"),), {"word": "fine"}), on_task=look)
    assert result.is_fine
    assert any("ansible-playbook" in word for word in words)
    assert not [word for word in words if SECRET in word or private in word]
    assert not [name for name in seen if name.startswith("env/") or "ssh_key" in name]
    assert list((tmp_path / "plays").iterdir()) == []


def test_nothing_of_a_run_that_took_too_long_goes_on(plays: AnsiblePlays, tmp_path: Path) -> None:
    result = plays.run(Play("endless", (here(tmp_path / "word"),), timeout_s=2))
    assert result.ending is Ending.TIMED_OUT
    assert list((tmp_path / "plays").iterdir()) == []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            assert str(tmp_path).encode() not in (entry / "environ").read_bytes()
        except OSError:
            continue


@pytest.fixture
def sleeper() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for one in started:
        one.kill()
        one.wait()


def has_ended(pid: int) -> bool:
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def of_a_run(place: Path, code: str, sleeper: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """A process as a run in the directory starts them; it works when this returns."""
    environ = {"AWX_ISOLATED_DATA_DIR": f"{place}/artifacts"}
    started = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nprint(flush=True); import signal; signal.pause()"],
        env=environ, stdout=subprocess.PIPE,
    )  # fmt: skip
    sleeper.append(started)
    assert started.stdout is not None
    assert started.stdout.readline() == b"\n"
    return started


def test_who_needs_long_to_end_has_ended_when_the_run_has(
    tmp_path: Path, sleeper: list[subprocess.Popen[bytes]]
) -> None:
    big = of_a_run(tmp_path, "held = bytearray(600 << 20)", sleeper)
    end_processes(tmp_path)
    assert has_ended(big.pid)


def test_who_is_forked_while_others_are_killed_is_found_too(
    tmp_path: Path, sleeper: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_a_run(tmp_path, "", sleeper)
    kill = signal.pidfd_send_signal

    def fork_first(handle: int, number: int) -> None:
        if len(sleeper) == 1:
            of_a_run(tmp_path, "", sleeper)
        kill(handle, number)

    monkeypatch.setattr("signal.pidfd_send_signal", fork_first)
    end_processes(tmp_path)
    assert len(sleeper) == 2
    assert all(has_ended(one.pid) for one in sleeper)


def test_a_worker_with_a_thousand_open_files_ends_them_too(
    tmp_path: Path, sleeper: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = of_a_run(tmp_path, "", sleeper)
    really, limits = os.pidfd_open, resource.getrlimit(resource.RLIMIT_NOFILE)

    def high(pid: int) -> int:
        low = really(pid)
        try:
            return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1024)
        finally:
            os.close(low)

    monkeypatch.setattr("os.pidfd_open", high)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        end_processes(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert has_ended(started.pid)


def test_what_a_dead_run_left_is_swept_and_what_lives_stays(
    tmp_path: Path, sleeper: list[subprocess.Popen[bytes]]
) -> None:
    root = tmp_path / "plays"
    code = (
        "import os, subprocess, sys, signal; from pathlib import Path\n"
        "from provisioning.drivers.play_directory import play_directory\n"
        "with play_directory(Path(sys.argv[1])) as place:\n"
        "    env, quiet = {'AWX_ISOLATED_DATA_DIR': str(place / 'artifacts')}, subprocess.DEVNULL\n"
        "    left = subprocess.Popen(['sleep', '60'], env=env, stdout=quiet, stderr=quiet)\n"
        "    print(left.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    worker = subprocess.run(
        [sys.executable, "-c", code, str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert worker.returncode == -signal.SIGKILL
    left = int(worker.stdout)
    assert len(list(root.iterdir())) == 1
    assert sweep(root) == 1
    assert list(root.iterdir()) == []
    assert has_ended(left)
    with play_directory(root) as place:
        environ = {"AWX_ISOLATED_DATA_DIR": f"{place}-of-another/artifacts"}
        sleeper.append(subprocess.Popen(["sleep", "600"], env=environ))
        assert sweep(root) == 0
        end_processes(place)
        assert place.exists()
    assert sleeper[0].poll() is None


@pytest.mark.parametrize(
    "host",
    [
        Host("a b", "10.0.0.1", "id"),
        Host("a", "-oProxyCommand=evil", "id"),
        Host("a", "10.0.0.1", "id -o ProxyCommand=evil"),
        Host("a", "10.0.0.1", "id", user="root;evil"),
    ],
)
def test_what_is_no_name_or_address_never_becomes_an_argument(plays: AnsiblePlays, host: Host) -> None:
    with pytest.raises(BadInput):
        plays.run(Play("note", (host,)))
    assert not plays.reaches(host)


def test_without_the_program_ssh_nobody_is_waited_for_it_is_said(
    plays: AnsiblePlays, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="'ssh' is not installed"):
        plays.reaches(Host("a", "10.0.0.1", "id"))


def test_the_message_of_a_failed_loop_is_that_of_its_first_failed_turn() -> None:
    collector = Collector((Host("a", "10.0.0.1", "a"),), lambda *_: None)
    turns = [{"failed": False, "msg": "fine"}, {"failed": True, "msg": "vdc is busy"}]
    answer = {"msg": "One or more items failed", "results": turns}
    collector.take({"event": "runner_on_failed", "event_data": {"host": "a", "task": "t", "res": answer}})
    assert collector.result("failed", 1.0).hosts["a"].message == "vdc is busy"


def test_the_key_is_private_and_of_two_who_make_it_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "guests.key"
    first, second = SshKey.of(path), SshKey.of(path)
    assert first.public == second.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert [one.name for one in tmp_path.iterdir()] == ["guests.key"]


def test_the_playbooks_are_found_and_their_settings_beside_them() -> None:
    place = shipped_playbooks()
    inside = {"baseline", "volumes", "freeze", "thaw", "check", "agent"}
    database = {
        f"database_{what}" for what in ("primary", "standby", "promote", "rewind", "lag", "demote", "regain")
    }
    assert {path.stem for path in place.glob("*.yml")} == inside | database
    assert (place / "ansible.cfg").is_file()


def test_an_installation_at_rest_does_not_load_ansible(tmp_path: Path) -> None:
    code = (
        "import json, sys, cloudctl.bootstrap, provisioning.build, provisioning.drivers.ansible_plays\n"
        "print(json.dumps([name for name in sys.modules if name.split('.')[0].startswith('ansible')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert not os.listdir(tmp_path)
