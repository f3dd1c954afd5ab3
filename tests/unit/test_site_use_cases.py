"""Check, connect, sync and adopt on clouds in memory."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudForbidden, CloudUnavailable, Conflict, NotAllowed, Refused
from cloudctl.lifecycle import ResourceState as State
from cloudctl.models import AuditEvent, Notice, Project, QuotaRow, Resource, Site
from cloudctl.ports import TAG_INSTALLATION, TAG_RESOURCE, NewPort, NewServer, NewVolume
from cloudctl.store import UnitOfWork
from provisioning.adopt import adopt
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.sites import check, connect
from provisioning.sync import sync
from tenants import ledger
from tests.builders import a_project, a_province, a_resource, an_actor

ROOM = Amounts(
    {
        Kind.INSTANCES: 5,
        Kind.VCPUS: 9,
        Kind.RAM_MIB: 9999,
        Kind.VOLUMES: 9,
        Kind.VOLUME_GIB: 99,
        Kind.PORTS: 9,
    }
)


@pytest.fixture
def cloud(clock: FrozenClock) -> FakeCloud:
    return FakeCloud("province", clock)


@pytest.fixture
def clouds(core: Core, cloud: FakeCloud) -> Iterator[FakeClouds]:
    a_province(core)
    yield FakeClouds({"province": cloud})


def count(uow: UnitOfWork, project: Project, _more: Amounts) -> None:
    ledger.count_used(uow, project.id)


def an_old_project(cloud: FakeCloud, name: str = "old-budget") -> str:
    """A project that was there before cloudctl: a server with two volumes and a port; its id."""
    domain = cloud.find_domain("Default")
    assert domain is not None
    project = cloud.create_project(domain.id, name, "", [])
    cloud.set_quota(project.id, ROOM)
    cloud.ensure_own_access(project.id)
    inside = cloud.in_project(project.id)
    network = next(network for network in cloud.list_networks() if network.name == "zone-public")
    image = cloud.list_images()[0]
    boot = inside.create_volume(NewVolume("root", 10, "standard", {}, image.id))
    data = inside.create_volume(NewVolume("data", 20, "ssd", {}))
    port = inside.create_port(NewPort("eth0", network.id, (), {}))
    inside.list_volumes(), inside.list_volumes()
    flavor = next(flavor for flavor in cloud.list_flavors() if flavor.name == "gov.small")
    inside.create_server(NewServer("app", flavor.id, boot.id, (data.id,), (port.id,), None, {}))
    inside.list_servers(), inside.list_servers(), inside.list_volumes()
    return project.id


def adopted(core: Core, clouds: FakeClouds, cloud: FakeCloud, name: str = "old-budget") -> str:
    external = an_old_project(cloud, name)
    return adopt(
        core, clouds, an_actor(core, "carol"), "province", external, "gx-finance-budget", "prod", count
    )


# -- check and connect


def test_a_site_that_fits_is_ok_and_says_so_on_its_row(core: Core, clouds: FakeClouds) -> None:
    report = check(core, clouds, an_actor(core, "carol"), "province")
    assert (report["state"], report["problems"]) == ("ok", [])
    with core.store.read() as uow:
        site = uow.need(Site, "province")
        assert (site.state, site.checked_at) == ("ok", core.clock.now())
        assert uow.first(AuditEvent, AuditEvent.action == "site.check") is not None


def test_a_check_names_all_that_is_missing_and_tells_the_administrators(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    cloud.remove_image("debian-12")
    cloud.state.missing_rights = {"identity:create_project"}
    networks = cloud.state.networks
    zone = next(one for one in networks.values() if one.name == "zone-dedicated")
    del networks[zone.id]
    public = next(one for one in networks.values() if one.name == "zone-public")
    networks[public.id] = replace(public, details={**public.details, "subnets": ["10.20.0.0/20"]})
    small = next(one for one in cloud.state.flavors.values() if one.name == "gov.small")
    cloud.state.flavors[small.id] = replace(small, details={**small.details, "vcpus": 3})
    cloud.state.default_quota = Amounts({Kind.INSTANCES: 10})

    report = check(core, clouds, an_actor(core, "carol"), "province")
    assert report["state"] == "degraded"
    assert {(problem["place"], problem["code"]) for problem in report["problems"]} == {
        ("image debian-12", "image_missing"),
        ("right identity:create_project", "right_missing"),
        ("zone dedicated", "network_missing"),
        ("zone public", "subnet_missing"),
        ("flavor gov.small", "flavor_differs"),
        ("default quota fake:instances", "default_quota"),
    }
    with core.store.read() as uow:
        assert [notice.user_id for notice in uow.all(Notice)] == ["carol"]
    check(core, clouds, an_actor(core, "carol"), "province")
    with core.store.read() as uow:
        assert uow.count(Notice) == 1  # as bad as before: nobody is told twice


def test_an_observed_site_needs_only_the_rights_to_look(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    cloud.state.missing_rights = {"identity:create_project", "compute:update_quota"}
    with core.store.write() as uow:
        uow.update(Site, Site.id == "province", mode="observe")
    assert check(core, clouds, an_actor(core, "carol"), "province")["state"] == "ok"
    with pytest.raises(Refused):
        check(core, clouds, an_actor(core, "carol"), "province", zero_default_quotas=True)


def test_default_quotas_are_set_to_zero_when_asked(core: Core, clouds: FakeClouds, cloud: FakeCloud) -> None:
    cloud.state.default_quota = Amounts({Kind.INSTANCES: 10})
    report = check(core, clouds, an_actor(core, "carol"), "province", zero_default_quotas=True)
    assert report["problems"] == []
    assert cloud.state.default_quota == Amounts()


def test_a_site_without_an_entry_in_clouds_yaml_is_unreachable(core: Core) -> None:
    a_province(core)
    report = check(core, FakeClouds({}), an_actor(core, "carol"), "province")
    assert report["state"] == "unreachable"
    assert "clouds.yaml" in report["problems"][0]["message"]


def test_only_administrators_of_the_site_check_it(core: Core, clouds: FakeClouds) -> None:
    for user in ("alice", "heidi"):
        with pytest.raises(NotAllowed):
            check(core, clouds, an_actor(core, user), "province")


def test_connecting_looks_and_stores_nothing(core: Core, cloud: FakeCloud) -> None:
    a_province(core)
    clouds = FakeClouds({"their-cloud": cloud})
    report = connect(core, clouds, an_actor(core, "dave"), cloud="their-cloud", mode="observe")
    assert report["state"] == "ok"
    assert report["topology"]["cloud"] == "their-cloud"
    assert {"gov.small", "gov.medium", "gov.large"} == set(report["offers"]["flavor"])
    with core.store.read() as uow:
        assert uow.count(Site) == 2
        assert uow.first(AuditEvent, AuditEvent.action == "site.connect") is not None
    with pytest.raises(BadInput):
        connect(core, clouds, an_actor(core, "dave"), cloud="their-cloud", mode="both")


# -- adopt


def test_adopting_binds_records_and_counts_and_changes_nothing_on_the_cloud(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    external = an_old_project(cloud)
    state = cloud.state
    there = (dict(state.servers), dict(state.volumes), dict(state.ports), dict(state.projects), state.quotas)
    calls = len(state.calls)
    actor = an_actor(core, "carol")
    key = adopt(core, clouds, actor, "province", "old-budget", "gx-finance-budget", "prod", count)
    after = (dict(state.servers), dict(state.volumes), dict(state.ports), dict(state.projects), state.quotas)
    assert after == there
    assert all(call.name.startswith(("list_", "get_", "rights")) for call in state.calls[calls:])

    with core.store.read() as uow:
        project = uow.need(Project, key)
        assert (project.external_id, project.origin, project.state) == (external, "adopted", "active")
        assert Amounts(project.quota_pushed) == ROOM
        rows = {row.name: row for row in uow.all(Resource)}
        assert {row.state for row in rows.values()} == {State.ACTIVE}
        assert {row.origin for row in rows.values()} == {"adopted"}
        assert set(rows) == {"app", "root", "data", "eth0"}
        assert rows["app"].spec["flavor"] == "gov.small"
        assert set(rows["app"].spec["data"]) == {rows["root"].id, rows["data"].id}
        assert rows["app"].spec["boot"] is None
        assert rows["eth0"].spec["server"] == rows["app"].id
        assert rows["eth0"].addresses["ipv4"]
        used = {
            row.kind: row.used
            for row in uow.all(QuotaRow, QuotaRow.scope_id == "gx-finance", QuotaRow.site == "*")
        }
        assert {kind: n for kind, n in used.items() if n} == {
            "instances": 1, "vcpus": 1, "ram_mib": 1024, "volumes": 2, "volume_gib": 30, "ports": 1,
        }  # fmt: skip
        assert {notice.user_id for notice in uow.all(Notice)} == {"alice", "bob"}


def test_a_project_is_bound_once_and_a_system_has_one_place_for_it(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    adopted(core, clouds, cloud)
    second = an_old_project(cloud, "second")
    actor = an_actor(core, "carol")
    for external, system in (("old-budget", "gx-finance-assets"), (second, "gx-finance-budget")):
        with pytest.raises(Conflict):
            adopt(core, clouds, actor, "province", external, system, "prod", count)
    assert adopt(core, clouds, actor, "province", second, "gx-finance-assets", "test", count)


def test_adopting_fills_a_project_that_was_only_planned(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    planned = a_project(core)
    assert adopted(core, clouds, cloud) == planned
    with core.store.read() as uow:
        assert uow.need(Project, planned).state == "active"


def test_what_cannot_be_adopted_is_refused_with_every_fault(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    an_old_project(cloud)
    actor = an_actor(core, "carol")
    with pytest.raises(BadInput) as refused:
        adopt(core, clouds, an_actor(core, "dave"), "mars", "old-budget", "nobody", "moon", count)
    assert {fault.place for fault in refused.value.faults} == {"site", "system", "environment"}
    with pytest.raises(Refused):
        adopt(core, clouds, actor, "province", "old-budget", "gx-finance-secret", "prod", count)
    with pytest.raises(NotAllowed):
        adopt(
            core,
            clouds,
            an_actor(core, "alice"),
            "province",
            "old-budget",
            "gx-finance-budget",
            "prod",
            count,
        )


def test_two_projects_of_one_name_must_be_told_apart_by_id(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    other = cloud.create_domain("other", "")
    cloud.create_project(other.id, "twin", "", [])
    an_old_project(cloud, "twin")
    with pytest.raises(BadInput) as refused:
        adopt(core, clouds, an_actor(core, "carol"), "province", "twin", "gx-finance-budget", "prod", count)
    assert refused.value.faults[0].code == "ambiguous"


# -- sync


def test_a_sync_finds_nothing_where_all_is_as_adopted(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    adopted(core, clouds, cloud)
    found = sync(core, clouds, an_actor(core, "carol"), "province", count)
    assert found["state"] == "as_recorded"
    assert found["counts"] == {"server": 1, "volume": 2, "port": 1, "ours": 4, "foreign": 0}
    with core.store.read() as uow:
        assert {row.seen_at for row in uow.all(Resource)} == {core.clock.now()}
        site = uow.need(Site, "province")
        assert site.check["sync"]["state"] == "as_recorded"
        assert site.capacity is not None
        assert site.capacity["vcpus"] == {"total": 4096, "used": 1}
        assert site.capacity_at == core.clock.now()


def test_a_site_that_does_not_tell_its_capacity_keeps_what_it_told(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    sync(core, clouds, an_actor(core, "carol"), "province")
    cloud.state.capacity[Kind.VCPUS] = 1
    cloud.fail("capacity", nth=1, error=CloudForbidden("no Placement for you"))
    assert sync(core, clouds, an_actor(core, "carol"), "province")["state"] == "as_recorded"
    with core.store.read() as uow:
        assert (uow.need(Site, "province").capacity or {})["vcpus"]["total"] == 4096


def test_a_sync_writes_down_what_is_missing_back_grown_and_foreign(
    core: Core, clouds: FakeClouds, cloud: FakeCloud, clock: FrozenClock
) -> None:
    key = adopted(core, clouds, cloud)
    actor = an_actor(core, "carol")
    state = cloud.state
    volume = next(v for v in state.volumes.values() if v.name == "data")
    server = next(iter(state.servers.values()))
    port = state.ports.pop(next(iter(state.ports)))
    state.volumes[volume.id] = replace(volume, size_gib=50)
    state.servers["stranger"] = replace(server, id="stranger", name="hand-made")
    state.quotas[server.project_id] = ROOM + Amounts({Kind.VCPUS: 7})

    found = sync(core, clouds, actor, "province", count)
    assert found["state"] == "differs"
    assert [row["name"] for row in found["missing"]] == ["eth0"]
    assert [(row["what"], row["was"], row["is_now"]) for row in found["drift"]] == [("size_gib", 20, 50)]
    assert [row["external_id"] for row in found["foreign_inside"]] == ["stranger"]
    assert [(row["kind"], row["pushed"], row["is_now"]) for row in found["quota_drift"]] == [("vcpus", 9, 16)]
    with core.store.read() as uow:
        leaf = uow.first(
            QuotaRow, QuotaRow.scope_id == key, QuotaRow.site == "*", QuotaRow.kind == "volume_gib"
        )
        assert leaf is not None
        assert leaf.used == 60
        assert uow.count(Notice, Notice.user_id == "carol") == 1

    state.ports[port.id] = port
    assert [row["name"] for row in sync(core, clouds, actor, "province", count)["back"]] == ["eth0"]


def test_ours_but_unknown_becomes_an_orphan_row_and_is_never_deleted(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    external = an_old_project(cloud)
    tags = {TAG_INSTALLATION: "test-installation", TAG_RESOURCE: "e" * 32}
    stray = cloud.in_project(external).create_volume(NewVolume("lost", 5, "standard", tags))
    deletes = cloud.count("delete_volume")
    for _ in range(2):
        found = sync(core, clouds, an_actor(core, "carol"), "province")
    assert found["orphaned"] == []  # known by now
    with core.store.read() as uow:
        row = uow.need(Resource, "e" * 32)
        assert (row.state, row.external_id, row.origin) == (State.ORPHANED, stray.id, "found")
    assert cloud.count("delete_volume") == deletes
    assert stray.id in cloud.state.volumes


def test_a_project_that_is_gone_is_told_and_its_resources_are_missing(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    key = a_project(core)
    a_resource(core, key, {"instances": 1}, external_id="was-there")
    with core.store.write() as uow:
        uow.update(Project, Project.id == key, external_id="gone", state="active")
    found = sync(core, clouds, an_actor(core, "carol"), "province")
    assert found["projects_gone"] == [key]
    assert [row["name"] for row in found["missing"]] == ["vm1"]


def test_a_credential_that_cannot_see_everything_calls_nothing_missing(
    core: Core, clouds: FakeClouds, cloud: FakeCloud
) -> None:
    adopted(core, clouds, cloud)
    cloud.state.missing_rights = {"volume:list_all_volumes"}
    cloud.state.volumes.clear()
    with pytest.raises(CloudForbidden) as refused:
        sync(core, clouds, an_actor(core, "carol"), "province")
    assert "volume:list_all_volumes" in refused.value.text()
    with core.store.read() as uow:
        assert {row.state for row in uow.all(Resource)} == {State.ACTIVE}


def test_half_a_listing_changes_no_row(core: Core, clouds: FakeClouds, cloud: FakeCloud) -> None:
    adopted(core, clouds, cloud)
    cloud.state.servers.clear()
    cloud.fail("list_all_ports", 1, CloudUnavailable("the network service is down"))
    with pytest.raises(CloudUnavailable):
        sync(core, clouds, an_actor(core, "carol"), "province")
    with core.store.read() as uow:
        assert {row.state for row in uow.all(Resource)} == {State.ACTIVE}
