"""What the lab writes: configuration files, secrets, the clouds.yaml."""

import configparser
import re
import stat
from pathlib import Path

import pytest
import yaml

from lab import bringup
from lab.compute import REMEMBERED
from lab.credentials import Credentials, write_private
from lab.layout import Layout
from lab.sites import Site, plan

SITES = plan(1)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    bringup.render(bringup.Blueprint(layout, SITES, Credentials(layout.credentials, SITES), REMEMBERED))
    return layout


def ini(path: Path) -> configparser.RawConfigParser:
    """Reads as strictly as Nova's API does: no section and no option twice."""
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True)
    parser.read_string(path.read_text())
    return parser


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
@pytest.mark.parametrize(
    "name", ["keystone", "glance-api", "placement", "nova", "nova-compute", "neutron", "cinder", "ceph"]
)
def test_every_configuration_reads_strictly(layout: Layout, site: Site, name: str) -> None:
    assert ini(layout.site(site).etc / f"{name}.conf").sections()


def test_every_file_belongs_to_its_owner_only(layout: Layout) -> None:
    files = [path for path in layout.home.rglob("*") if path.is_file() and path.parent != layout.bin]
    assert len(files) > 30
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_sites_share_no_password(layout: Layout) -> None:
    province, city = (
        set(
            re.findall(
                r"password\s*=\s*(\w+)|openstack:(\w+)@", (layout.site(site).etc / "nova.conf").read_text()
            )
        )
        for site in SITES
    )
    assert province and city
    assert not province & city


def test_secrets_survive_a_second_rendering(layout: Layout) -> None:
    before = {path: path.read_text() for path in layout.home.rglob("*.conf")}
    bringup.render(bringup.Blueprint(layout, SITES, Credentials(layout.credentials, SITES), REMEMBERED))
    assert {path: path.read_text() for path in layout.home.rglob("*.conf")} == before


def test_a_site_keeps_its_backups_by_itself_so_that_it_needs_no_other(layout: Layout) -> None:
    keys = set()
    for site in SITES:
        cinder = ini(layout.site(site).etc / "cinder.conf")["DEFAULT"]
        assert cinder["backup_s3_endpoint_url"] == f"http://{site.address}:7480"
        keys.add(cinder["backup_s3_store_secret_key"])
    assert len(keys) == len(SITES)


def test_nova_compute_has_no_database(layout: Layout) -> None:
    etc = layout.site(SITES[0]).etc
    assert "mysql" in (etc / "nova.conf").read_text()
    assert "mysql" not in (etc / "nova-compute.conf").read_text()


def test_clouds_yaml_names_every_site(layout: Layout) -> None:
    clouds = yaml.safe_load(layout.clouds_yaml.read_text())["clouds"]
    assert {name: cloud["region_name"] for name, cloud in clouds.items()} == {
        "province": "Province",
        "city-1": "City-1",
    }
    assert clouds["city-1"]["auth"]["auth_url"] == "http://10.101.2.2:5000/v3"


def test_a_file_that_says_so_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    assert write_private(path, "x")
    before = path.stat().st_mtime_ns
    assert not write_private(path, "x")
    assert path.stat().st_mtime_ns == before
    assert write_private(path, "y")
