"""Real guests on the lab: they boot, take the request's key, keep their bytes, and outlive what is killed."""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import openstack
import pytest

from lab import Lab
from provisioning.guest_access import user_data
from tests.live.guest import Guest, a_guest, make_key, reach
from tests.live.killing import kill

pytestmark = [pytest.mark.guests, pytest.mark.timeout(420)]

PROVINCE, CITY = "province", "city-1"


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    rows = lab.status()
    assert all(row.state == "up" for row in rows), "the lab is not up"
    assert "libvirtd" in {row.service for row in rows}, "the lab has no real guests: cloudctl lab up --guests"
    return lab


def connect(lab: Lab, site: str) -> Any:
    config = openstack.config.OpenStackConfig(config_files=[str(lab.clouds_yaml)], load_envvars=False)
    return contextlib.closing(openstack.connection.Connection(config=config.get_one(site)))


@pytest.fixture(scope="module")
def guest(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """One server at the province for all tests that leave it as it is."""
    place = tmp_path_factory.mktemp("keys")
    public = make_key(place).with_suffix(".pub").read_text().strip()
    head, _, document = user_data(public).partition("\n")
    asked = json.loads(document) | {"runcmd": [["echo", "said at the first boot"]]}
    said = f"{head}\n{json.dumps(asked)}\n"
    with connect(lab, PROVINCE) as cloud, a_guest(cloud, place, user_data=said) as made:
        print({what: round(took, 1) for what, took in made.took_s.items()})
        yield made


@pytest.fixture(scope="module")
def city_guest(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """One server at the city, whose site the last tests stop and cut."""
    with (
        connect(lab, CITY) as cloud,
        a_guest(
            cloud, tmp_path_factory.mktemp("keys"), "zone-dedicated", "#!/bin/sh\necho probed $(hostname)\n"
        ) as made,
    ):
        yield made


def test_the_key_of_the_request_opens_it_and_no_other(guest: Guest, tmp_path: Path) -> None:
    assert guest.run("whoami; sudo whoami").split() == ["debian", "root"]
    with pytest.raises(subprocess.CalledProcessError, match="255"):
        guest.run("true", make_key(tmp_path))


def test_it_has_the_name_of_the_request_and_the_address_of_the_network(guest: Guest) -> None:
    assert guest.run("hostname") == guest.server.name
    assert f" {guest.address}/20 " in guest.run("ip -4 address show eth0")


def test_only_what_the_security_group_opens_is_open(guest: Guest) -> None:
    with socket.create_connection((guest.address, 80), timeout=5):
        pass
    with pytest.raises(TimeoutError), socket.create_connection((guest.address, 81), timeout=3):
        pass


def test_the_boot_volume_is_used_to_its_end(guest: Guest) -> None:
    assert int(guest.run("df -k / | tail -1").split()[1]) > 900 * 1024


def test_postgresql_lives_on_the_data_volume(guest: Guest) -> None:
    assert guest.run("psql -At app -c 'SHOW data_directory'") == "/srv/data/postgresql"
    assert guest.run("cat /sys/block/vdb/serial") == guest.data_volume[:20]


def test_the_application_writes_rows_and_reads_them(guest: Guest) -> None:
    before = guest.ask("/health")["notes"]
    made = guest.ask("/notes", "预算")["id"]
    assert guest.ask("/health")["notes"] == before + 1
    assert {"id": made, "text": "预算"} in guest.ask("/notes")
    assert guest.run(f"psql -At app -c 'SELECT text FROM note WHERE id = {made}'") == "预算"


def test_its_console_can_be_read(guest: Guest) -> None:
    assert "guest: booted after" in guest.console()


def test_cloudctl_has_its_user_there_when_the_user_data_asks_for_it(guest: Guest) -> None:
    assert guest.run("sudo -u cloudctl sudo whoami") == "root"
    assert guest.run("sudo cat /home/cloudctl/.ssh/authorized_keys").startswith("restrict ssh-ed25519 ")


def test_a_command_of_the_user_data_tells_the_console_what_it_says(guest: Guest) -> None:
    assert "said at the first boot" in guest.console()
    assert "guest: the script of the user data ended with 0" in guest.console()


def test_a_snapshot_of_a_volume_in_use_has_the_bytes_of_the_moment(guest: Guest) -> None:
    cinder = guest.cloud.block_storage
    written = guest.run(
        "sudo dd if=/dev/urandom of=/srv/data/proof bs=1M count=8 2>/dev/null; sudo sha256sum /srv/data/proof"
    )
    guest.run("sudo fsfreeze -f /srv/data")
    try:
        snapshot = cinder.create_snapshot(volume_id=guest.data_volume, is_forced=True, name=guest.server.name)
        cinder.wait_for_status(snapshot, "available", ["error"], 0.3, 60)
    finally:
        guest.run("sudo fsfreeze -u /srv/data")
    guest.run("sudo dd if=/dev/zero of=/srv/data/proof bs=1M count=8 conv=fsync 2>/dev/null")
    copy = cinder.create_volume(name=f"{guest.server.name}-copy", size=1, snapshot_id=snapshot.id)
    cinder.wait_for_status(copy, "available", ["error"], 0.3, 60)
    guest.cloud.compute.create_volume_attachment(guest.server, volume_id=copy.id)
    try:
        cinder.wait_for_status(copy, "in-use", ["error"], 0.3, 60)
        reach(lambda: guest.run("test -b /dev/vdc"), subprocess.CalledProcessError)
        read = guest.run(
            "sudo mount -o ro,noload /dev/vdc /mnt && sudo sha256sum /mnt/proof && sudo umount /mnt"
        )
        assert read.split()[0] == written.split()[0]
    finally:
        guest.cloud.compute.delete_volume_attachment(guest.server, copy.id)
        cinder.wait_for_status(copy, "available", ["error"], 0.3, 60)
        cinder.delete_volume(copy)
        cinder.wait_for_delete(copy, 0.3, 60)


def test_it_lives_on_while_what_runs_it_is_killed_and_healed(lab: Lab, guest: Guest) -> None:
    booted = guest.run("cat /proc/sys/kernel/random/boot_id")
    kill(lab, *((PROVINCE, name) for name in ("nova-compute", "libvirtd", "ovs-vswitchd", "ovn-controller")))
    lab.up(lambda line: None)
    guest.wait_until_inside()
    assert guest.run("cat /proc/sys/kernel/random/boot_id") == booted
    assert guest.cloud.compute.get_server(guest.server.id).status == "ACTIVE"


def test_a_city_has_guests_of_its_own(city_guest: Guest) -> None:
    assert city_guest.address.startswith("10.21.")
    assert city_guest.ask("/health")["notes"] == 0


def test_a_script_as_user_data_runs_at_the_first_boot(city_guest: Guest) -> None:
    assert f"probed {city_guest.server.name}" in city_guest.console()


@pytest.mark.soak  # a minute and more; the default lab's site is stopped and started in every run
def test_it_comes_back_with_its_site(lab: Lab, city_guest: Guest) -> None:
    booted = city_guest.run("cat /proc/sys/kernel/random/boot_id")
    made = city_guest.ask("/notes", "before the stop")["id"]
    lab.site_stop(CITY)
    lab.site_start(CITY)
    city_guest.wait_until_it_answers()
    assert city_guest.run("cat /proc/sys/kernel/random/boot_id") != booted
    assert {"id": made, "text": "before the stop"} in city_guest.ask("/notes")
    assert city_guest.run("sudo ls /var/lib/guest").split() == ["instance", "script.ran"]


def test_a_cut_site_keeps_its_guests_and_joined_they_are_reached_again(lab: Lab, city_guest: Guest) -> None:
    lab.site_cut(CITY)
    try:
        with pytest.raises((OSError, HTTPException)):
            city_guest.ask("/health")
    finally:
        lab.site_join(CITY)
    city_guest.wait_until_it_answers()
