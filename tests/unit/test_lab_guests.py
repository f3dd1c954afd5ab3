"""What a lab with real guests has more, and that one with rows has none of it."""

import configparser
import struct
from pathlib import Path

import pytest

from lab import bringup, ceph, environment, guest_disk, hypervisor, packages
from lab.compute import LIBVIRT, REMEMBERED, Compute, choose, chosen
from lab.credentials import Credentials
from lab.layout import Layout
from lab.services import services
from lab.sites import external_network, plan, zone_networks
from lab.steps import order

SITES = plan(1)
PROVINCE = SITES[0]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def rendered(layout: Layout, compute: Compute) -> configparser.RawConfigParser:
    """What nova-compute of the province reads, read as strictly as Nova does."""
    bringup.render(bringup.Blueprint(layout, SITES, Credentials(layout.credentials, SITES), compute))
    parser = configparser.RawConfigParser(strict=True)
    parser.read_string((layout.site(PROVINCE).etc / "nova-compute.conf").read_text())
    return parser


def names_of(layout: Layout) -> set[str]:
    return {service.name for service in services(layout, PROVINCE)}


def test_a_new_lab_has_rows_for_guests(layout: Layout) -> None:
    assert chosen(layout) == REMEMBERED
    assert "libvirtd" not in names_of(layout)


def test_the_choice_stays_until_it_is_changed(layout: Layout) -> None:
    before = names_of(layout)
    choose(layout, LIBVIRT)
    assert chosen(Layout(layout.home)) == LIBVIRT
    assert names_of(layout) - before == {"libvirtd"}
    choose(layout, REMEMBERED)
    assert names_of(layout) == before


def test_nova_emulates_real_guests(layout: Layout) -> None:
    nova = rendered(layout, LIBVIRT)
    assert nova["DEFAULT"]["compute_driver"] == "libvirt.LibvirtDriver"
    assert nova["libvirt"]["virt_type"] == "qemu"
    assert "libvirt" not in rendered(layout, REMEMBERED)


def test_what_runs_the_guests_changes_no_other_daemon_of_nova(layout: Layout) -> None:
    conf = layout.site(PROVINCE).etc / "nova.conf"
    rendered(layout, LIBVIRT)
    before = conf.read_text()
    rendered(layout, REMEMBERED)
    assert conf.read_text() == before


def test_the_secret_of_a_site_is_its_own_ceph_key_under_the_id_of_its_cluster(layout: Layout) -> None:
    rendered(layout, LIBVIRT)
    site = layout.site(PROVINCE)
    keyring = site.data / "ceph" / "client.cinder.keyring"
    keyring.parent.mkdir(parents=True)
    keyring.write_text("[client.cinder]\n\tkey = AQBkey==\n\tcaps mon = profile rbd\n")
    hypervisor.write_secret(PROVINCE, site)
    secrets = {path.suffix: path for path in (site.etc / "libvirt" / "secrets").iterdir()}
    assert secrets[".base64"].read_text() == "AQBkey=="
    assert secrets[".xml"].stem == secrets[".base64"].stem == ceph.cluster_id(site)
    assert secrets[".base64"].stat().st_mode & 0o077 == 0


@pytest.fixture
def names(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(packages, "missing", lambda names: [])
    monkeypatch.setattr(environment, "is_current", lambda layout: True)
    credentials = Credentials(layout.credentials, SITES)
    return order(bringup.all_steps(bringup.Blueprint(layout, SITES, credentials, LIBVIRT), SITES))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("packages", "guest-image"),
        ("guest-image", "city-1/guest-resources"),
        ("city-1/storage", "city-1/machines"),
        ("city-1/machines", "city-1/guests"),
        ("city-1/way", "city-1/guests"),
        ("city-1/guest-resources", "city-1/ready"),
    ],
)
def test_nothing_of_the_guests_starts_before_what_it_needs(names: list[str], first: str, then: str) -> None:
    assert names.index(first) < names.index(then)


def test_a_lab_with_rows_installs_nothing_for_machines(layout: Layout) -> None:
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "missing", lambda names: asked.extend(names) or [])
        patch.setattr(environment, "is_current", lambda layout: True)
        credentials = Credentials(layout.credentials, SITES)
        bringup.all_steps(bringup.Blueprint(layout, SITES, credentials, REMEMBERED), SITES)
    assert asked == list(packages.PACKAGES)


def test_the_partition_claims_every_disk_to_its_end() -> None:
    table = guest_disk.partition_table()
    bootable, kind, start, sectors = struct.unpack("<B3xB3xII", table[:16])
    assert (bootable, kind) == (0x80, 0x83)
    assert start + sectors == 2**32 - 1
    assert (len(table), table[-2:]) == (66, b"\x55\xaa")


def test_the_router_stands_on_the_external_network_and_on_no_zone() -> None:
    for site in plan(2):
        external = external_network(site)
        assert external.router.startswith(f"172.24.{site.number}.")
        assert external.cidr not in {zone.cidr_v4 for zone in zone_networks(site)}
