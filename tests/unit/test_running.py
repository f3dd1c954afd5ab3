"""What looks at the clouds write down: when each system really ran."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudctl.clock import FrozenClock, local_day
from cloudctl.core import Core
from cloudctl.errors import CloudUnavailable
from cloudctl.models import Project, RunningSpan, Site, SiteLook
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.running import Span, look_at_due_sites, note
from provisioning.sync import sync
from tests.builders import a_province, an_actor
from tests.unit.test_site_use_cases import an_old_project

HOUR = 3600


@pytest.fixture
def cloud(clock: FrozenClock) -> FakeCloud:
    return FakeCloud("province", clock)


@pytest.fixture
def clouds(core: Core, cloud: FakeCloud) -> Iterator[FakeClouds]:
    a_province(core)
    with core.store.write() as uow:  # one cloud is enough
        uow.update(Site, Site.id == "city-1", retired_at=core.clock.now())
    yield FakeClouds({"province": cloud})


def bound(core: Core, cloud: FakeCloud) -> str:
    """A project with a running server, bound to a system; the server's id."""
    external = an_old_project(cloud)
    with core.store.write() as uow:
        uow.add(
            Project(
                id="p", name="old", system_id="gx-finance-budget", department_id="gx-finance",
                site_id="province", external_id=external, state="active", created_at=core.clock.now(),
            )
        )  # fmt: skip
    return next(iter(cloud.state.servers))


def spans(core: Core) -> list[tuple[str, float, bool, int]]:
    """(system, hours it lasted as far as seen, whether it still runs, longest gap)."""
    with core.store.read() as uow:
        rows = uow.all(RunningSpan, order_by=[RunningSpan.id])
        return [
            (
                row.system_id,
                ((row.until or row.last_seen_at) - row.since).total_seconds() / HOUR,
                row.until is None,
                row.longest_gap_s,
            )
            for row in rows
        ]


def test_a_system_runs_from_the_first_look_that_finds_an_active_server(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    bound(core, cloud)
    assert look_at_due_sites(core, clouds) == ["province"]
    clock.advance(HOUR)
    look_at_due_sites(core, clouds)
    clock.advance(2 * HOUR)
    look_at_due_sites(core, clouds)
    assert spans(core) == [("gx-finance-budget", 3.0, True, 2 * HOUR)]


@pytest.mark.parametrize("status", ["SHUTOFF", "ERROR", "UNKNOWN", "BUILD"])
def test_a_server_that_is_not_active_runs_nothing(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, status: str
) -> None:
    server = bound(core, cloud)
    cloud.state.servers[server] = replace(cloud.state.servers[server], status=status)
    look_at_due_sites(core, clouds)
    assert spans(core) == []


def test_a_stretch_ends_with_the_look_that_finds_nothing_and_another_begins_later(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    server = bound(core, cloud)
    look_at_due_sites(core, clouds)
    clock.advance(HOUR)
    gone = cloud.state.servers.pop(server)
    look_at_due_sites(core, clouds)
    clock.advance(HOUR)
    cloud.state.servers[server] = gone
    look_at_due_sites(core, clouds)
    assert spans(core) == [("gx-finance-budget", 1.0, False, 0), ("gx-finance-budget", 0.0, True, 0)]


def test_a_look_that_finds_nothing_is_on_record_as_well(
    core: Core, clouds: FakeClouds, clock: FrozenClock
) -> None:
    begun = clock.now()
    look_at_due_sites(core, clouds)
    clock.advance(HOUR)
    look_at_due_sites(core, clouds)
    with core.store.read() as uow:
        [look] = uow.all(SiteLook)
        assert (look.first_at, look.last_at, look.day) == (begun, clock.now(), local_day(begun))


def test_a_cloud_that_does_not_answer_leaves_what_was_known_to_grow_old(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    bound(core, cloud)
    look_at_due_sites(core, clouds)
    clock.advance(HOUR)
    cloud.fail("list_all_servers", nth=1, error=CloudUnavailable("no answer"))
    assert look_at_due_sites(core, clouds) == []
    assert spans(core) == [("gx-finance-budget", 0.0, True, 0)]


def test_a_credential_that_lost_its_role_makes_nothing_look_gone(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    bound(core, cloud)
    look_at_due_sites(core, clouds)
    clock.advance(HOUR)
    cloud.state.missing_rights = {"compute:list_all_servers"}
    assert look_at_due_sites(core, clouds) == []
    assert spans(core) == [("gx-finance-budget", 0.0, True, 0)]


def test_a_site_has_its_turn_once_in_the_time_that_is_set(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    assert look_at_due_sites(core, clouds) == ["province"]
    clock.advance(core.settings.look_every_s - 1)
    assert look_at_due_sites(core, clouds) == []
    clock.advance(1)
    assert look_at_due_sites(core, clouds) == ["province"]


def test_a_sync_writes_down_what_runs_as_well(core: Core, clouds: FakeClouds, cloud: FakeCloud) -> None:
    bound(core, cloud)
    sync(core, clouds, an_actor(core, "carol"), "province")
    assert spans(core) == [("gx-finance-budget", 0.0, True, 0)]


def test_the_longest_gap_never_shrinks(clock: FrozenClock) -> None:
    now = clock.now()
    noted = note([Span("a", now, 7200)], frozenset({"a"}), now)
    assert noted.go_on == {"a": 7200}
