"""The lab's address plan, and the order in which it does things."""

import itertools
from functools import partial
from pathlib import Path

import pytest

from lab import bringup, environment, packages
from lab.compute import REMEMBERED
from lab.credentials import Credentials
from lab.errors import LabError
from lab.layout import Layout
from lab.services import services
from lab.sites import plan, zone_networks
from lab.steps import Step, order, run_all


def test_sites_are_the_province_and_its_cities() -> None:
    assert [(s.name, s.region, s.address) for s in plan(2)] == [
        ("province", "Province", "10.101.1.2"),
        ("city-1", "City-1", "10.101.2.2"),
        ("city-2", "City-2", "10.101.3.2"),
    ]


@pytest.mark.parametrize("cities", [0, 3])
def test_a_lab_has_one_or_two_cities(cities: int) -> None:
    with pytest.raises(ValueError, match="one or two"):
        plan(cities)


def test_names_of_links_fit_the_kernel() -> None:
    assert all(len(site.host_link) <= 15 for site in plan(2))


def test_no_two_networks_share_a_prefix() -> None:
    networks = [network for site in plan(2) for network in zone_networks(site)]
    assert len({n.cidr_v4 for n in networks}) == len({n.cidr_v6 for n in networks}) == 9
    assert networks[0].cidr_v4 == "10.20.0.0/20"


def test_no_two_services_of_a_site_share_a_name_or_a_port(tmp_path: Path) -> None:
    all_services = services(Layout(tmp_path), plan(1)[0])
    ports = [service.port for service in all_services if service.port]
    assert len({service.name for service in all_services}) == len(all_services)
    assert len(set(ports)) == len(ports)


def test_sites_share_no_file_of_their_own(tmp_path: Path) -> None:
    """A path of one site in a command of the other would make the sites fail together."""
    layout = Layout(tmp_path)
    for one, other in itertools.permutations(plan(2), 2):
        root = str(layout.site(other).root)
        for service in services(layout, one):
            assert not any(root in text for text in (*service.argv, *service.env.values()))


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of a cold start of two sites, in an order that is allowed."""
    monkeypatch.setattr(packages, "missing", lambda names: ["memcached"])
    monkeypatch.setattr(environment, "is_current", lambda layout: False)
    sites = plan(1)
    credentials = Credentials(tmp_path / "credentials.json", sites)
    blueprint = bringup.Blueprint(Layout(tmp_path), sites, credentials, REMEMBERED)
    return order(bringup.all_steps(blueprint, sites))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("packages", "province/cable"),
        ("download", "environment"),
        ("province/database", "template/nova"),
        ("template/nova", "city-1/tables-nova"),
        ("city-1/tables-keystone", "city-1/identity"),
        ("city-1/identity", "city-1/control"),
        ("city-1/messages", "city-1/control"),
        ("city-1/control", "city-1/ready"),
    ],
)
def test_nothing_starts_before_what_it_needs(names: list[str], first: str, then: str) -> None:
    assert names.index(first) < names.index(then)


def test_steps_run_after_their_needs_and_only_once() -> None:
    done: list[str] = []
    steps = [
        Step(name, partial(done.append, name), needs)
        for name, needs in {"c": ("a", "b"), "a": (), "b": ("a",)}.items()
    ]
    run_all(steps, lambda line: None)
    assert done == ["a", "b", "c"]


def test_a_failed_step_is_named_and_stops_those_that_need_it() -> None:
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("no disk")

    with pytest.raises(LabError, match=r"^first: no disk$"):
        run_all(
            [Step("first", fail), Step("second", lambda: done.append("second"), ("first",))],
            lambda line: None,
        )
    assert done == []


@pytest.mark.parametrize(
    "steps",
    [
        [Step("a", print, ("b",)), Step("b", print, ("a",))],
        [Step("a", print, ("nobody",))],
        [Step("a", print), Step("a", print)],
    ],
    ids=["circle", "unknown", "twice"],
)
def test_a_plan_that_cannot_be_done_is_refused(steps: list[Step]) -> None:
    with pytest.raises(ValueError):
        order(steps)
