"""An agent on a real guest: its writer runs while the witness says so, and stops by itself when cut off.

Some five minutes, since the processor of a guest is emulated. The witness is that of the lab, in three
places; the guest reaches it as it reaches guests of other sites.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import openstack
import pytest

from cloudctl.ports import Host, Register
from dr.agents.installing import COMMANDS, Papers, Wish, install
from lab import Lab
from lab.processes import wait_until
from provisioning.drivers.ansible_plays import AnsiblePlays
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import read_witness
from tests.live.guest import Guest, a_guest

pytestmark = [pytest.mark.lab, pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(1800)]

LEASE_S = 20.0
_PAUSE = threading.Event()  # never set
HERE, THERE = "province", "city-1"
PROGRAM = "/usr/local/sbin/test-writer"
LOG = "/var/lib/test-written"
_WRITER = f'''#!/bin/sh
case $1 in
start) [ -s /run/test-writer ] && kill -0 $(cat /run/test-writer) 2>/dev/null && exit 0
  setsid python3 -c '
import select, time
while True:
    with open("{LOG}", "a") as file:
        print(time.time(), file=file)
    select.select([], [], [], 0.2)' </dev/null >/dev/null 2>&1 & echo $! >/run/test-writer ;;
stop|kill) pkill -KILL -f {LOG}; exit 0 ;;
runs) pgrep -f {LOG} >/dev/null ;;
esac
'''


@dataclass
class Ground:
    """A guest with an agent, and the witness that it asks."""

    guest: Guest
    witness: EtcdWitness
    group: str

    def runs(self) -> bool:
        """Whether the writer does, seen inside."""
        return self.guest.run(f"sudo {PROGRAM} runs && echo yes || echo no") == "yes"

    def register(self, epoch: int, holder: str, *, is_open: bool) -> None:
        """The next entry, as a move makes it."""
        now = self.witness.read(self.group)
        wanted = Register(self.group, epoch, holder, is_open, HERE)
        self.witness.swap(now, wanted if now is None else replace(wanted, version=now.version))

    def link(self, *, is_up: bool) -> None:
        """The guest's only port, as the network fence closes it."""
        network = self.guest.cloud.network
        port = next(iter(network.ports(device_id=self.guest.server.id)))
        network.update_port(port, is_admin_state_up=is_up)

    def written(self) -> list[float]:
        """When it wrote, by the clock of the guest."""
        return [float(line) for line in self.guest.run(f"cat {LOG}").splitlines()]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    place, home = tmp_path_factory.mktemp("agents"), Path(os.environ["CLOUDCTL_HOME"]) / "lab"
    Lab(home).up(lambda _line: None, with_extras=["witness"])
    told = read_witness(home / "witness.yaml")
    config = openstack.config.OpenStackConfig(config_files=[str(home / "clouds.yaml")], load_envvars=False)
    with (
        contextlib.closing(openstack.connection.Connection(config=config.get_one(HERE))) as cloud,
        a_guest(cloud, place) as guest,
    ):
        made = Ground(guest, EtcdWitness(told), f"live-{uuid4().hex[:8]}")
        guest.run(f"sudo tee {PROGRAM} >/dev/null <<'END'\n{_WRITER}END\nsudo chmod 755 {PROGRAM}")
        papers = Papers(told.members, told.ca, told.cert, told.key, told.prefix)
        commands = {word: f"{PROGRAM} {word}" for word in COMMANDS}
        wish = Wish(made.group, HERE, guest.server.name, LEASE_S, commands=commands)
        host = Host(guest.server.name, guest.address, guest.server.id, user="debian")
        plays = AnsiblePlays(place, guest.key)
        result = install(plays, host, wish, papers)
        assert result.is_fine, result
        print(f"the agent was brought in {result.seconds:.0f} s, {result.changed} changes")
        again = install(plays, host, wish, papers)
        assert (again.is_fine, again.changed) == (True, 0), again
        yield made
        made.witness.dismiss(made.group, HERE, guest.server.name)


def test_the_writer_runs_only_while_the_register_lets_its_site_write(ground: Ground) -> None:
    assert not ground.runs()
    ground.register(1, HERE, is_open=True)
    assert wait_until(ground.runs, timeout_s=30)
    assert ground.witness.servers(ground.group, HERE) == [ground.guest.server.name]
    ground.register(2, THERE, is_open=False)

    def has_said_so() -> bool:
        word = ground.witness.read_stopped(ground.group, HERE)
        return word is not None and word.is_proof(2)

    assert wait_until(has_said_so, timeout_s=LEASE_S + 10)
    assert not ground.runs()
    ground.register(3, HERE, is_open=True)
    assert wait_until(ground.runs, timeout_s=30)


def test_a_writer_whose_machine_is_cut_off_stands_still_before_its_lease_is_over(ground: Ground) -> None:
    assert wait_until(ground.runs, timeout_s=30)
    began = float(ground.guest.run("date +%s"))
    ground.link(is_up=False)
    cut_at, ours = began, time.monotonic()
    try:
        _PAUSE.wait(3 * LEASE_S)  # nobody can look inside; the log tells it afterwards
    finally:
        ground.link(is_up=True)
    cut_s = time.monotonic() - ours
    ground.guest.wait_until_inside()
    written = ground.written()
    after = [one for one in written if one > cut_at + cut_s - LEASE_S / 2]
    while_cut = [one for one in written if cut_at <= one < cut_at + cut_s - LEASE_S / 2]
    print(
        f"written until {max(while_cut) - cut_at:.1f} s after the cut, of {LEASE_S:.0f} s; {len(after)} since"
    )
    assert max(while_cut) - cut_at <= LEASE_S + 1  # a second: how finely `date` told when it began
    assert wait_until(ground.runs, timeout_s=60)  # asked again, it was let write again
