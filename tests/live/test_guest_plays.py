"""The playbooks at a real guest: nothing changes twice; what is frozen stands still, and is let go again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest

from cloudctl.ports import Host, Play, PlayResult
from provisioning.drivers.ansible_plays import AnsiblePlays
from tests.live.guest import Guest, a_guest

# Some five minutes in a guest whose processor is emulated: too long for every run.
pytestmark = [pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(1800)]


@dataclass
class Ground:
    """A guest, and plays that come into it with the key of its request."""

    guest: Guest
    plays: AnsiblePlays

    def run(self, playbook: str, is_check: bool = False, **variables: Any) -> PlayResult:
        host = Host(self.guest.server.name, self.guest.address, self.guest.server.id, user="debian")
        result = self.plays.run(Play(playbook, (host,), variables, is_check=is_check))
        print(f"{playbook}{' (check)' if is_check else ''}: {result.seconds:.1f} s, {result.changed} changed")
        return result

    def told(self, playbook: str, **variables: Any) -> Any:
        result = self.run(playbook, **variables)
        assert result.is_fine, result
        return result.hosts[self.guest.server.name].told

    def can_write(self) -> bool:
        """Whether a write to the data volume is done within five seconds; a held one cannot be killed."""
        write = "echo x >>/srv/data/probe && sync -f /srv/data/probe && touch /run/probe-written"
        detached = f"sudo setsid sh -c '{write}' </dev/null >/dev/null 2>&1 &"
        seen = "test -e /run/probe-written && echo written || echo not"
        said = self.guest.run(f"sudo rm -f /run/probe-written; {detached} sleep 5; {seen}")
        return said.splitlines()[-1] == "written"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    place = tmp_path_factory.mktemp("plays")
    clouds = str(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml")
    config = openstack.config.OpenStackConfig(config_files=[clouds], load_envvars=False)
    with (
        contextlib.closing(openstack.connection.Connection(config=config.get_one("province"))) as cloud,
        a_guest(cloud, place) as guest,
    ):
        yield Ground(guest, AnsiblePlays(place, guest.key))


def test_the_baseline_asked_for_is_not_made_made_once_and_not_again(ground: Ground) -> None:
    asked = ground.run("baseline", is_check=True, baseline_level=3)
    assert asked.is_fine, asked
    assert asked.changed > 0
    with pytest.raises(subprocess.CalledProcessError):
        ground.guest.run("test -e /etc/ssh/sshd_config.d/00-cloudctl.conf")
    made = ground.run("baseline", baseline_level=3)
    assert made.is_fine, made
    assert "maxauthtries 3" in ground.guest.run("sudo /usr/sbin/sshd -T")
    assert "reloaded by signal" in " ".join(made.hosts[ground.guest.server.name].told["notes"])
    again = ground.run("baseline", baseline_level=3)
    assert again.is_fine, again
    assert again.changed == 0


def test_a_data_volume_that_is_in_use_stays_as_it_is(ground: Ground) -> None:
    volume = {"id": ground.guest.data_volume, "path": "/srv/data", "label": "data1", "is_new": True}
    before = ground.guest.ask("/health")["notes"]
    result = ground.run("volumes", volumes=[volume])
    assert result.is_fine, result
    assert result.changed == 0
    assert result.hosts[ground.guest.server.name].told == {"paths": ["/srv/data"]}
    assert ground.guest.ask("/health")["notes"] == before


def test_what_runs_is_found_to_run_and_what_does_not_is_named(ground: Ground) -> None:
    fine = {"check_processes": ["postgres", "sshd"], "check_ports": [22, 80]}
    fine |= {"check_urls": ["http://127.0.0.1/health"], "check_database": "required"}
    checks = ground.told("check", **fine)["checks"]
    assert {one["name"] for one in checks} >= {"postgresql", "port 80", "http://127.0.0.1/health"}
    bad = ground.run("check", check_ports=[81])
    assert not bad.is_fine
    assert "port 81" in bad.hosts[ground.guest.server.name].message
    assert bad.changed == 0


def test_nothing_is_written_while_it_is_held_and_everything_afterwards(ground: Ground) -> None:
    assert ground.can_write()
    held = ground.told("freeze", point="p1", hold_s=900)
    assert held["mounts"] == ["/srv/data"]
    assert not ground.can_write()
    assert ground.run("freeze", point="p1", hold_s=900).changed == 0
    assert ground.told("thaw", point="p1") == {"was_held": True}
    assert ground.can_write()
    note = ground.guest.ask("/notes", "after the thaw")
    assert note["id"]


def test_the_timer_in_the_guest_lets_go_when_nobody_else_does(ground: Ground) -> None:
    ground.told("freeze", point="p2", hold_s=20)
    written = ground.guest.run(
        "sudo sh -c 'echo y >>/srv/data/probe && sync -f /srv/data/probe'; cat /proc/uptime"
    )
    print(f"let go after {written.split()[0]} s of uptime")
    assert "expired" in ground.guest.run("sudo cat /run/cloudctl/hold.json")
    assert ground.told("thaw", point="p2") == {"was_held": False}
    assert ground.can_write()
