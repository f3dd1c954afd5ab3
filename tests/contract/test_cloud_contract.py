"""What every Cloud does, run on the one in memory and on the lab's real OpenStack."""

import uuid
from dataclasses import replace

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import (
    CloudBusy,
    CloudConflict,
    CloudctlError,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRejected,
)
from cloudctl.ports import (
    TAG_INSTALLATION,
    NewPort,
    NewServer,
    Port,
    Rule,
)
from tests.contract.workbench import KEY, OTHER_KEY, ROOM, Bench, named

# -- identity and quota


def test_a_project_keeps_its_tags_and_is_found_by_id_and_in_the_list(bench: Bench) -> None:
    project = bench.cloud.get_project(bench.project_id)
    assert f"{TAG_INSTALLATION}=contract" in project.tags
    assert project.id in {p.id for p in bench.cloud.list_projects(project.domain_id)}
    assert project.id in {p.id for p in bench.cloud.list_projects()}


def test_a_second_project_of_the_same_name_in_the_domain_is_a_conflict(bench: Bench) -> None:
    project = bench.cloud.get_project(bench.project_id)
    with pytest.raises(CloudConflict) as refused:
        bench.cloud.create_project(project.domain_id, project.name, "", [])
    assert refused.value.cloud_request_id


def test_what_does_not_exist_is_not_found_and_deleting_it_is_fine(bench: Bench) -> None:
    nobody = uuid.uuid4().hex
    with pytest.raises(CloudNotFound):
        bench.cloud.get_project(nobody)
    bench.cloud.delete_project(nobody)
    assert bench.cloud.find_domain(f"no-{nobody}") is None
    bench.inside.delete_server(str(uuid.uuid4()))
    bench.inside.delete_volume(str(uuid.uuid4()))
    bench.inside.delete_port(str(uuid.uuid4()))
    bench.inside.delete_security_group(str(uuid.uuid4()))


def test_every_right_is_held_by_the_administrator_and_says_why_it_is_needed(bench: Bench) -> None:
    rights = bench.cloud.rights()
    assert rights
    assert [right.name for right in rights if not right.is_held] == []
    assert {right.needed_for for right in rights} == {"observe", "manage", "backup", "recover"}
    assert all(right.why for right in rights)


def test_quotas_read_back_as_pushed_and_a_kind_not_named_becomes_zero(bench: Bench) -> None:
    pushed = replace_amount(ROOM, Kind.VCPUS, 5)
    bench.cloud.set_quota(bench.project_id, pushed)
    assert bench.cloud.get_quota(bench.project_id) == pushed
    bench.cloud.set_quota(bench.project_id, Amounts({Kind.INSTANCES: 1}))
    assert bench.cloud.get_quota(bench.project_id) == Amounts({Kind.INSTANCES: 1})
    bench.cloud.set_quota(bench.project_id, ROOM)
    assert bench.cloud.get_quota(bench.project_id) == ROOM


def replace_amount(amounts: Amounts, kind: Kind, n: int) -> Amounts:
    return Amounts({**dict(amounts), kind: n})


def test_access_can_be_ensured_again_and_again(bench: Bench) -> None:
    bench.cloud.ensure_own_access(bench.project_id)
    bench.cloud.ensure_own_access(bench.project_id)
    bench.inside.list_volumes()


def test_a_site_tells_what_it_has_room_for_and_a_volume_takes_of_it(bench: Bench) -> None:
    before = bench.cloud.capacity()
    assert set(before) == {Kind.VCPUS, Kind.RAM_MIB, Kind.VOLUME_GIB}
    assert all(room.total > 0 and room.free > 0 for room in before.values())
    made = bench.inside.create_volume(bench.new_volume("room", 3))
    bench.volume(made.id, "available")

    def is_counted() -> bool | None:
        used = bench.cloud.capacity()[Kind.VOLUME_GIB].used
        return True if used >= before[Kind.VOLUME_GIB].used + 3 else None

    bench.until(is_counted, "the volume is counted")
    bench.inside.delete_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)


def test_the_catalogue_and_networks_come_with_their_details(bench: Bench) -> None:
    small = named(bench.cloud.list_flavors(), "gov.small").details
    assert (small["vcpus"], small["ram_mib"]) == (1, 1024)
    image = named(bench.cloud.list_images(), "debian-12").details
    assert image["status"] == "active"
    assert "min_disk_gib" in image
    types = {row.name: row.details for row in bench.cloud.list_volume_types()}
    assert {"standard", "ssd"} <= set(types)
    assert types["standard"]["is_replicated"] is False
    assert types["standard"]["backend"]
    network = named(bench.cloud.list_networks(), "zone-public").details
    assert network["is_shared"]
    assert "10.20.0.0/20" in str(network["subnets"])
    assert "fd00:1:1::/64" in str(network["subnets"])


# -- volumes


def test_a_volume_has_its_tags_from_the_first_moment_and_becomes_available(bench: Bench) -> None:
    new = bench.new_volume("data")
    made = bench.inside.create_volume(new)
    assert (made.name, made.size_gib, made.project_id) == (new.name, 1, bench.project_id)
    listed = bench.volume(made.id, "creating", "available")
    assert dict(listed.tags) == dict(new.tags)
    ready = bench.volume(made.id, "available")
    assert (ready.type, ready.server_ids, ready.error) == ("standard", (), None)
    everywhere = {volume.id: volume for volume in bench.cloud.list_all_volumes()}
    assert everywhere[made.id].project_id == bench.project_id
    bench.inside.delete_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)


def test_a_volume_gets_another_name_and_keeps_its_tags(bench: Bench) -> None:
    made = bench.inside.create_volume(bench.new_volume("before"))
    bench.volume(made.id, "available")
    for _ in range(2):
        bench.inside.rename_volume(made.id, f"after-{bench.run}")
        found = bench.volume(made.id, "available")
        assert (found.name, dict(found.tags)) == (f"after-{bench.run}", dict(made.tags))
    with pytest.raises(CloudNotFound):
        bench.inside.rename_volume(str(uuid.uuid4()), "nothing")
    bench.inside.delete_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)


def test_a_volume_of_an_unknown_type_is_refused_for_good_with_the_clouds_request_id(bench: Bench) -> None:
    new = replace(bench.new_volume("odd"), type="no-such-type")
    with pytest.raises(CloudRejected) as refused:
        bench.inside.create_volume(new)
    assert not refused.value.retry
    assert str(refused.value.cloud_request_id).startswith("req-")


def test_over_the_clouds_own_quota_is_said_as_such_for_volumes_ports_and_servers(bench: Bench) -> None:
    boot = bench.inside.create_volume(bench.new_volume("ready", 10, image="debian-12"))
    bench.volume(boot.id, "available")
    port = make_port(bench, "ready")
    flavor_id = named(bench.cloud.list_flavors(), "gov.small").id
    bench.cloud.set_quota(bench.project_id, Amounts())  # below what is used: growth alone is blocked
    try:
        with pytest.raises(CloudQuotaExceeded) as volume:
            bench.inside.create_volume(bench.new_volume("over"))
        with pytest.raises(CloudQuotaExceeded) as another_port:
            bench.inside.create_port(NewPort("over", port.network_id, (), bench.tags()))
        with pytest.raises(CloudQuotaExceeded) as server:
            bench.inside.create_server(
                NewServer("over", flavor_id, boot.id, (), (port.id,), None, bench.tags())
            )
    finally:
        bench.cloud.set_quota(bench.project_id, ROOM)
    for error in (volume.value, another_port.value, server.value):
        assert not error.retry
        assert str(error.cloud_request_id).startswith("req-")
    bench.inside.delete_port(port.id)
    bench.inside.delete_volume(boot.id)


# -- ports and groups


RULES = (
    Rule("egress", "IPv4", None, remote="0.0.0.0/0"),
    Rule("egress", "IPv6", None, remote="::/0"),
    Rule("ingress", "IPv4", "tcp", 22, 22, "10.0.0.0/8"),
    Rule("ingress", "IPv6", "ipv6-icmp", remote="::/0"),
    Rule("ingress", "IPv4", None),
)


def test_a_security_group_is_made_once_and_brought_to_the_rules_asked(bench: Bench) -> None:
    name = f"group-{bench.run}"
    first = bench.inside.ensure_security_group(name, "of the contract", RULES)
    assert bench.inside.ensure_security_group(name, "of the contract", RULES) == first
    assert bench.inside.ensure_security_group(name, "of the contract", RULES[:3]) == first
    assert [g.id for g in bench.inside.list_security_groups() if g.name == name] == [first]


def make_port(bench: Bench, name: str) -> Port:
    """A port as the flows make it: tagged at create or right after."""
    group_id = bench.inside.ensure_security_group(f"group-{bench.run}", "of the contract", RULES)
    network_id = named(bench.cloud.list_networks(), "zone-public").id
    new = NewPort(f"{name}-{bench.run}", network_id, (group_id,), bench.tags())
    made = bench.inside.create_port(new)
    if dict(made.tags) != dict(new.tags):
        bench.inside.tag_port(made.id, new.tags)
        bench.inside.tag_port(made.id, new.tags)
    listed = next(port for port in bench.inside.list_ports() if port.id == made.id)
    assert dict(listed.tags) == dict(new.tags)
    return listed


def test_a_port_has_an_address_of_each_family_and_keeps_its_tags(bench: Bench) -> None:
    port = make_port(bench, "port")
    assert len(port.addresses) == 2
    assert any(":" in address for address in port.addresses)
    assert port.device_id == ""
    assert port.id in {p.id for p in bench.cloud.list_all_ports()}
    bench.inside.delete_port(port.id)
    assert port.id not in {p.id for p in bench.inside.list_ports()}


# -- the whole life of a server


def test_a_key_pair_can_be_ensured_again_and_is_never_replaced(bench: Bench) -> None:
    name = f"key-{bench.run}"
    bench.inside.ensure_key(name, KEY)
    bench.inside.ensure_key(name, KEY)
    with pytest.raises(CloudConflict):
        bench.inside.ensure_key(name, OTHER_KEY)


def test_a_server_boots_from_its_volume_is_counted_and_leaves_its_volumes_behind(bench: Bench) -> None:
    inside = bench.inside
    boot = inside.create_volume(bench.new_volume("boot", 10, image="debian-12"))
    data = inside.create_volume(bench.new_volume("disk"))
    more = inside.create_volume(bench.new_volume("more"))
    port = make_port(bench, "vm")
    inside.ensure_key(f"vmkey-{bench.run}", KEY)
    for volume in (boot, data, more):
        bench.volume(volume.id, "available")
    new = NewServer(
        f"vm-{bench.run}", named(bench.cloud.list_flavors(), "gov.small").id, boot.id, (data.id,),
        (port.id,), f"vmkey-{bench.run}", bench.tags(),
    )  # fmt: skip
    made = inside.create_server(new)
    assert (made.name, made.status, made.project_id) == (new.name, "BUILD", bench.project_id)

    active = bench.server(made.id, "ACTIVE", "ERROR")
    assert active.error is None
    assert (active.flavor, active.vcpus, active.ram_mib) == ("gov.small", 1, 1024)
    assert dict(active.tags) == dict(new.tags)
    assert set(active.volume_ids) == {boot.id, data.id}
    assert set(active.addresses) == set(port.addresses)
    assert bench.volume(data.id, "in-use").server_ids == (made.id,)
    assert next(p for p in inside.list_ports() if p.id == port.id).device_id == made.id
    assert made.id in {server.id for server in bench.cloud.list_all_servers()}
    assert bench.cloud.get_server(made.id).id == made.id
    used = bench.cloud.usage(bench.project_id)
    expected = {Kind.INSTANCES: 1, Kind.VCPUS: 1, Kind.RAM_MIB: 1024, Kind.VOLUMES: 3, Kind.VOLUME_GIB: 12}
    assert {kind: used[kind] for kind in expected} == expected
    assert used[Kind.PORTS] == 1

    inside.attach_volume(made.id, more.id)
    bench.volume(more.id, "in-use")
    inside.attach_volume(made.id, more.id)  # attached there already is fine
    with pytest.raises(CloudBusy):
        inside.delete_volume(more.id)
    inside.detach_volume(made.id, more.id)
    bench.volume(more.id, "available")
    bench.until(lambda: _detached(bench, made.id, more.id), "detached")
    inside.detach_volume(made.id, more.id)  # not attached is fine

    inside.delete_server(made.id)
    bench.gone(inside.list_servers, made.id)
    with pytest.raises(CloudNotFound):
        bench.cloud.get_server(made.id)
    inside.delete_server(made.id)
    for volume in (boot, data, more):
        bench.volume(volume.id, "available")
    assert next(p for p in inside.list_ports() if p.id == port.id).device_id == ""


def _detached(bench: Bench, server_id: str, volume_id: str) -> bool | None:
    server = next(s for s in bench.inside.list_servers() if s.id == server_id)
    return None if volume_id in server.volume_ids else True


def test_a_server_of_an_unknown_flavor_is_refused_for_good(bench: Bench) -> None:
    boot = bench.inside.create_volume(bench.new_volume("unused"))
    bench.volume(boot.id, "available")
    port = make_port(bench, "unused")
    new = NewServer("odd", str(uuid.uuid4()), boot.id, (), (port.id,), None, bench.tags())
    with pytest.raises(CloudRejected) as refused:
        bench.inside.create_server(new)
    assert isinstance(refused.value, CloudctlError)
    assert not refused.value.retry
