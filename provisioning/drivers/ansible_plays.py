"""Plays over ansible-runner: each run in a private directory that is gone afterwards.

The key is never copied: SSH reads its file, and the inventory names the path. ansible-runner's own ways with
secrets are not used: its `run()` writes `ssh_key`, `passwords`, `extravars` and `envvars` into env/ files in
clear. The environment of the child holds what is listed here, and nothing that this process was given.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloudctl.errors import BadInput, Fault, Misconfigured, NotFound
from cloudctl.ports import Host, OnTask, Play, PlayResult
from cloudctl.secrets import SshKey
from provisioning.drivers.play_directory import play_directory, sweep
from provisioning.drivers.play_events import Collector

MOST_FORKS = 8
CONNECT_S = 10
_REACH_S = 20.0  # a server that answers slower is asked again later
_KEPT = ("PATH", "TZ", "TMPDIR", "SYSTEMROOT")  # of our own environment
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{3,45}|[A-Za-z0-9][A-Za-z0-9.-]{0,252}")


def shipped_playbooks() -> Path:
    """The directory of the playbooks that come with cloudctl. Misconfigured when they are not installed."""
    found = find_spec("playbooks")
    if found is None or not found.submodule_search_locations:
        raise Misconfigured("the playbooks of cloudctl are not installed")
    return Path(next(iter(found.submodule_search_locations)))


class AnsiblePlays:
    """Implements Plays. `home` is where runs have their directories and host keys are remembered."""

    def __init__(self, home: Path, key: Path, playbooks: Path | None = None) -> None:
        self._root = home / "plays"
        self._key = key
        self._known_hosts = home / "known_hosts"
        self._playbooks = playbooks or shipped_playbooks()
        sweep(self._root)

    def run(
        self,
        play: Play,
        on_task: OnTask = lambda _host, _task, _outcome: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> PlayResult:
        playbook = self._playbooks / f"{play.playbook}.yml"
        if not _NAME.fullmatch(play.playbook) or not playbook.is_file():
            raise NotFound("there is no playbook '{name}'", name=play.playbook)
        _check(play.hosts)
        self.public_key()
        began = time.monotonic()
        collector = Collector(play.hosts, on_task)
        with play_directory(self._root) as place:
            status = self._run(place, play, playbook, collector, is_stopped)
        return collector.result(status, time.monotonic() - began)

    def reaches(self, host: Host) -> bool:
        self.public_key()
        try:
            _check((host,))
            address = [*self._ssh(host), "-p", str(host.port), f"{host.user}@{host.address}", "true"]
            done = subprocess.run(address, capture_output=True, timeout=_REACH_S, check=False)
        except (BadInput, OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def public_key(self) -> str:
        return SshKey.of(self._key).public

    # -- the pieces

    def _run(
        self, place: Path, play: Play, playbook: Path, collector: Collector, is_stopped: Callable[[], bool]
    ) -> str:
        from ansible_runner import Runner, RunnerConfig  # noqa: PLC0415  # loaded by whoever runs a play

        inventory = place / "inventory.json"
        inventory.touch(mode=0o600)
        inventory.write_text(json.dumps(self._inventory(play)), encoding="utf-8")
        config = RunnerConfig(
            private_data_dir=str(place),
            playbook=str(playbook),
            inventory=str(inventory),
            cmdline="--check" if play.is_check else None,
            forks=max(1, min(len(play.hosts), MOST_FORKS)),
            timeout=max(1, round(play.timeout_s)),
            settings={"idle_timeout": max(1, round(play.idle_s)), "pexpect_timeout": 1},
            suppress_output_file=True,
            quiet=True,
            process_isolation=False,
            fact_cache_type="memory",
        )
        config.prepare()
        config.command[0] = _program("ansible-playbook")
        config.env = self._environment(place, config.env)

        def take(event: dict[str, Any]) -> bool:
            collector.take(event)
            return False  # and is not kept in a file

        (place / "cp").mkdir(mode=0o700)
        status, _ = Runner(config, event_handler=take, cancel_callback=is_stopped).run()
        return str(status)

    def _inventory(self, play: Play) -> dict[str, Any]:
        hosts = {
            host.name: {
                "ansible_host": host.address,
                "ansible_port": host.port,
                "ansible_user": host.user,
                "ansible_ssh_private_key_file": str(self._key),
                "ansible_ssh_common_args": f"-o HostKeyAlias={host.identity}",
                **host.variables,
            }
            for host in play.hosts
        }
        return {"all": {"hosts": hosts, "vars": dict(play.variables)}}

    def _environment(self, place: Path, made: Mapping[str, str]) -> dict[str, str]:
        """What Ansible sees: ansible-runner's own words, and nothing of what this process was given."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own = {name: value for name, value in made.items() if name.startswith(("AWX_", "RUNNER_"))}
        plugins = made["ANSIBLE_CALLBACK_PLUGINS"].split(":")[-1]
        options = " ".join(f"-o {option}" for option in self._options())
        return {
            **kept,
            **own,
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(self._playbooks / "ansible.cfg"),
            "ANSIBLE_HOME": str(place / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(place / "tmp"),
            "ANSIBLE_CALLBACK_PLUGINS": plugins,
            "ANSIBLE_STDOUT_CALLBACK": made["ANSIBLE_STDOUT_CALLBACK"],
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_NOCOLOR": "1",
            # kept connections have their sockets in the run's directory; a socket's path must be short
            "ANSIBLE_SSH_ARGS": (
                f"-F none -o ControlMaster=auto -o ControlPersist=30s -o ControlPath=cp/%C {options}"
            ),
        }

    def _options(self) -> list[str]:
        return [
            f"UserKnownHostsFile='\"{self._known_hosts}\"'",
            "GlobalKnownHostsFile=none",
            "StrictHostKeyChecking=accept-new",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "BatchMode=yes",
            "ForwardAgent=no",
            f"ConnectTimeout={CONNECT_S}",
            "ServerAliveInterval=10",
            "ServerAliveCountMax=3",
        ]

    def _ssh(self, host: Host) -> list[str]:
        options = [one.replace("'", "") for one in self._options()]
        options.append(f"HostKeyAlias={host.identity}")
        given = [word for option in options for word in ("-o", option)]
        return [_program("ssh"), "-F", "none", "-i", str(self._key), *given]


def _program(name: str) -> str:
    """Where a program is: beside our own interpreter, or on the path. Misconfigured when it is not there."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise Misconfigured("the program '{name}' is not installed here", name=name)
    return found


def _check(hosts: tuple[Host, ...]) -> None:
    """Names and addresses become parts of command lines: what is no name is refused, all faults at once."""
    faults = [
        Fault(f"hosts: {host.name}", "bad_host", "{what} is no name or address", {"what": value})
        for host in hosts
        for value, pattern in (
            (host.name, _NAME), (host.address, _ADDRESS), (host.identity, _NAME), (host.user, _NAME)
        )
        if not pattern.fullmatch(value)
    ]  # fmt: skip
    if len({host.name for host in hosts}) != len(hosts):
        faults.append(Fault("hosts", "twice", "a name is there twice"))
    if faults:
        raise BadInput("the servers of the play cannot be addressed", faults=faults)
