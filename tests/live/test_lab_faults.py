"""What the lab promises about faults: `up` heals what was killed, and sites fail without each other."""

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import Lab
from tests.live.killing import kill

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

PROVINCE, CITY = "province", "city-1"
KEYSTONE = {PROVINCE: "http://10.101.1.2:5000/v3", CITY: "http://10.101.2.2:5000/v3"}


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The lab, whole; and whole again afterwards, so that one failure here does not fail all that follows."""
    lab = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    assert all(row.state == "up" for row in lab.status()), "the lab is not up"
    yield lab
    if any(row.state != "up" for row in lab.status()):
        lab.up(lambda line: None)


def pids(lab: Lab) -> dict[tuple[str, str], int | None]:
    return {(row.site, row.service): row.pid for row in lab.status()}


def up(lab: Lab) -> float:
    started = time.monotonic()
    lab.up(lambda line: None)
    return time.monotonic() - started


def answers(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, TimeoutError):
        urllib.request.urlopen(url, timeout=2).close()
        return True
    return False


def test_up_on_a_lab_that_works_changes_nothing(lab: Lab) -> None:
    before = pids(lab)
    assert up(lab) < 10
    assert pids(lab) == before


def test_up_starts_what_was_killed_and_only_that(lab: Lab) -> None:
    before = pids(lab)
    killed = [
        (PROVINCE, "mariadb"), (PROVINCE, "rabbitmq"), (PROVINCE, "nova-conductor"), (PROVINCE, "keystone"),
        (CITY, "ceph-osd"), (CITY, "ceph-mon"), (CITY, "cinder-backup"), (CITY, "ovs-vswitchd"),
        (CITY, "epmd"), (CITY, "ovn-sb"), (PROVINCE, "memcached"), (PROVINCE, "radosgw"),
    ]  # fmt: skip
    kill(lab, *killed)

    up(lab)

    after = pids(lab)
    assert {name for name in after if after[name] != before[name]} == set(killed)
    make_and_delete_a_volume_and_a_server(lab, PROVINCE)
    make_and_delete_a_volume_and_a_server(lab, CITY)


def test_a_site_that_is_cut_off_lives_on_and_can_be_joined(lab: Lab) -> None:
    before = pids(lab)
    lab.site_cut(CITY)
    try:
        assert not answers(KEYSTONE[CITY])
        assert answers(KEYSTONE[PROVINCE])
        rows = [row for row in lab.status() if row.site == CITY]
        assert {row.service for row in rows if row.state != "up"} == {"cable"}
    finally:
        lab.site_join(CITY)
    assert answers(KEYSTONE[CITY])
    assert pids(lab) == before


@pytest.mark.soak  # 49 s
def test_a_site_can_be_stopped_and_started_alone(lab: Lab) -> None:
    before = pids(lab)
    lab.site_stop(CITY)
    assert not answers(KEYSTONE[CITY])
    assert answers(KEYSTONE[PROVINCE])
    assert all(row.state == "down" for row in lab.status() if row.site == CITY and row.service != "cable")

    lab.site_start(CITY)

    after = pids(lab)
    assert {name for name in after if after[name] == before[name] and after[name]} == {
        name for name in before if name[0] == PROVINCE and before[name]
    }
    make_and_delete_a_volume_and_a_server(lab, CITY)


@pytest.mark.soak
def test_up_that_is_killed_in_the_middle_is_finished_by_the_next(lab: Lab) -> None:
    lab.site_stop(PROVINCE)
    for seconds in (2, 6, 15):
        process = subprocess.Popen([*python_m_lab(), "up"], stdout=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        process.wait()
    up(lab)
    assert all(row.state == "up" for row in lab.status())
    make_and_delete_a_volume_and_a_server(lab, PROVINCE)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_down_leaves_nothing_and_up_finds_everything_again(lab: Lab) -> None:
    home = str(Path(os.environ["CLOUDCTL_HOME"]).resolve() / "lab")
    with_server(lab, PROVINCE, "faults-kept", lambda: take_down_and_up(lab, home))


def take_down_and_up(lab: Lab, home: str) -> None:
    lab.down()
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    links = os.listdir("/sys/class/net")
    assert "site-" not in namespaces
    assert [name for name in links if name.startswith("lab-")] == []
    assert home not in Path("/proc/mounts").read_text()
    assert running_below(home) == []
    up(lab)


def running_below(home: str) -> list[str]:
    """The command lines of processes that have to do with the lab's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if entry.name.isdigit() and int(entry.name) != os.getpid() and home in command:
                found.append(command)
    return found


def make_and_delete_a_volume_and_a_server(lab: Lab, site: str) -> None:
    """Goes through every daemon of a site that takes part in making things."""
    with_server(lab, site, "faults", lambda: None)


def with_server(lab: Lab, site: str, name: str, action: Callable[[], None]) -> None:
    import openstack

    config = openstack.config.OpenStackConfig(config_files=[str(lab.clouds_yaml)], load_envvars=False)
    with contextlib.closing(openstack.connection.Connection(config=config.get_one(site))) as cloud:
        flavor, image = cloud.compute.find_flavor("gov.small"), cloud.image.find_image("debian-12")
        network = cloud.network.find_network("zone-public")
        volume = cloud.block_storage.create_volume(name=name, size=1, image_id=image.id)
        server = cloud.compute.create_server(
            name=name, image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": network.id}]
        )
        try:
            cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.3, 60)
            cloud.compute.wait_for_server(server, interval=0.3, wait=60)
            action()
            assert cloud.compute.get_server(server.id).status == "ACTIVE"
        finally:
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, 0.3, 60)
            cloud.block_storage.delete_volume(volume.id)
            cloud.block_storage.wait_for_delete(volume, 0.3, 60)


def python_m_lab() -> list[str]:
    import sys

    return [sys.executable, "-m", "lab", "--home", str(Path(os.environ["CLOUDCTL_HOME"]) / "lab")]
