"""A lab whose volumes are copied to the other site: only when asked, between two sites, in a good order."""

import configparser
from pathlib import Path

import pytest

from lab import bringup, extras, mirroring, packages
from lab.compute import REMEMBERED
from lab.credentials import Credentials
from lab.layout import Layout
from lab.sites import Site, plan
from lab.steps import order


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(packages, "missing", lambda names: [])
    return Layout(tmp_path)


def blueprint(layout: Layout, cities: int = 1) -> bringup.Blueprint:
    sites = plan(cities)
    chosen = extras.chosen(layout)
    return bringup.Blueprint(layout, sites, Credentials(layout.credentials, sites), REMEMBERED, chosen)


def cinder(layout: Layout, place: Site) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=True)
    parser.read(layout.site(place).etc / "cinder.conf")
    return parser


def test_cinder_has_a_second_backend_only_when_it_was_asked_for(layout: Layout) -> None:
    bringup.render(blueprint(layout))
    province, city = plan(1)
    assert cinder(layout, province)["DEFAULT"]["enabled_backends"] == "rbd"
    extras.choose(layout, ["replication"])
    bringup.render(blueprint(layout))
    found = cinder(layout, province)
    assert found["DEFAULT"]["enabled_backends"] == "rbd,replicated"
    assert found["replicated"]["rbd_pool"] == mirroring.POOL
    assert found["replicated"]["replication_device"] == (
        f"backend_id:city-1,conf:{layout.site(city).ceph_conf},user:cinder"
    )
    assert "backend_id:province" in cinder(layout, city)["replicated"]["replication_device"]


def test_a_second_city_has_no_part_in_it(layout: Layout) -> None:
    extras.choose(layout, ["replication"])
    bringup.render(blueprint(layout, 2))
    *pair, second = plan(2)
    assert cinder(layout, second)["DEFAULT"]["enabled_backends"] == "rbd"
    names = [[one.name for one in extras.daemons_at(layout, place)] for place in (*pair, second)]
    assert [mirroring.SERVICE in one for one in names] == [True, True, False]


def test_the_daemon_knows_its_own_cluster_and_the_sites_are_paired_when_both_have_storage(
    layout: Layout,
) -> None:
    extras.choose(layout, ["replication"])
    made = blueprint(layout)
    names = order(bringup.all_steps(made, made.sites))
    for place in plan(1):
        daemon = extras.daemons_at(layout, place)[-1]
        assert daemon.env["CEPH_CONF"] == str(layout.site(place).etc / "rbd-mirror.conf")
        assert names.index(f"{place.name}/storage") < names.index(f"{place.name}/replication")
        assert names.index(f"{place.name}/replication") < names.index("replication/pair")
        assert names.index("replication/pair") < names.index(f"{place.name}/replicating")


def test_one_site_is_started_without_the_other(layout: Layout) -> None:
    extras.choose(layout, ["replication"])
    made = blueprint(layout)
    names = order(bringup.all_steps(made, made.sites[:1]))
    assert "province/replication" in names
    assert not [name for name in names if name.startswith(("replication/", "city-1/"))]


def test_what_cloudctl_signs_in_with_is_for_the_pool_alone(layout: Layout) -> None:
    extras.choose(layout, ["replication"])
    mirroring.publish(layout)
    assert layout.storage_yaml.stat().st_mode & 0o077 == 0
    text = layout.storage_yaml.read_text()
    assert "province:" in text
    assert "city-1:" in text
    assert "client.cinder" not in text
    assert "key =" not in text
