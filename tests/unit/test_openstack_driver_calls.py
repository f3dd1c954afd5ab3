"""What the driver asks of old, odd and strict clouds. Against a stand-in's HTTP."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import (
    CloudRejected,
)
from cloudctl.ports import NO_LIMIT, NewPort, NewServer, Rule
from provisioning.drivers.openstack_cloud import OpenStackClouds
from tests.unit.stub_openstack import (
    OWN_PROJECT,
    USER,
    Answer,
    Asked,
    StubOpenStack,
    clouds_of,
    running,
    write_clouds_yaml,
)

PROJECT = "b" * 32
SERVERS, VOLUMES = "/compute/v2.1/servers", f"/volume/v3/{PROJECT}/volumes"


@pytest.fixture
def stub() -> Iterator[StubOpenStack]:
    with running() as made:
        yield made


@pytest.fixture
def clouds(stub: StubOpenStack, tmp_path: Path) -> Iterator[OpenStackClouds]:
    made = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url))
    yield made
    made.close()


# -- versions


def test_the_newest_version_both_know_is_used(stub: StubOpenStack, clouds: OpenStackClouds) -> None:
    stub.answer("GET", f"{SERVERS}/detail", Answer(body={"servers": []}))
    clouds.at("province").list_all_servers()
    assert stub.calls("GET", f"{SERVERS}/detail")[0].headers["openstack-api-version"] == "compute 2.79"


def test_an_old_nova_is_spoken_to_in_its_own_version(stub: StubOpenStack, clouds: OpenStackClouds) -> None:
    stub.nova = "2.25"
    flavor = {"id": "f1", "name": "gov.small", "vcpus": 1, "ram": 1024, "disk": 0}
    stub.answer("GET", "/compute/v2.1/flavors/detail", Answer(body={"flavors": [flavor]}))
    row = {
        "id": "s1", "name": "vm", "status": "ACTIVE", "tenant_id": PROJECT, "flavor": {"id": "f1"},
        "metadata": {"cloudctl:resource": "r1", "other": "x"}, "addresses": {},
    }  # fmt: skip
    stub.answer("GET", f"{SERVERS}/detail", Answer(body={"servers": [row]}))
    stub.answer("POST", SERVERS, Answer(202, {"server": {"id": "s2"}}))
    cloud = clouds.at("province")
    [server] = cloud.list_all_servers()
    assert (server.flavor, server.vcpus, server.ram_mib) == ("gov.small", 1, 1024)
    assert server.tags == {"cloudctl:resource": "r1"}
    cloud.in_project(PROJECT).create_server(NewServer("vm", "f1", "b", (), ("p",), None, {"cloudctl:x": "y"}))
    asked = stub.calls("POST", SERVERS)[0]
    assert asked.headers["openstack-api-version"] == "compute 2.25"
    assert "tags" not in asked.body["server"]
    assert asked.body["server"]["metadata"] == {"cloudctl:x": "y"}


def test_user_data_reaches_nova_as_it_wants_it_and_only_when_there_is_any(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.answer("POST", SERVERS, Answer(202, {"server": {"id": "s2"}}))
    inside = clouds.at("province").in_project(PROJECT)
    new = NewServer("vm", "f1", "b", (), ("p",), None, {})
    inside.create_server(new)
    inside.create_server(replace(new, user_data="#cloud-config\n{}\n"))
    without, having = stub.calls("POST", SERVERS)
    assert "user_data" not in without.body["server"]
    assert b64decode(having.body["server"]["user_data"]) == b"#cloud-config\n{}\n"


def test_a_server_of_a_cell_that_is_down_is_listed_as_unknown(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    half = {"id": "s1", "status": "UNKNOWN", "tenant_id": PROJECT, "created": "x", "links": []}
    stub.answer("GET", f"{SERVERS}/detail", Answer(body={"servers": [half]}))
    [server] = clouds.at("province").list_all_servers()
    assert (server.status, server.name, server.vcpus) == ("UNKNOWN", "", 0)


def port_row(name: str) -> dict[str, object]:
    return {"id": "p1", "name": name, "status": "DOWN", "network_id": "n1", "fixed_ips": [], "tags": []}


@pytest.mark.parametrize("knows_tags", [True, False])
def test_a_port_is_tagged_at_create_only_where_neutron_says_that_it_can(
    stub: StubOpenStack, clouds: OpenStackClouds, knows_tags: bool
) -> None:
    aliases = [{"alias": "tag-ports-during-bulk-creation"}] if knows_tags else [{"alias": "router"}]
    stub.answer("GET", "/network/v2.0/extensions", Answer(body={"extensions": aliases}))
    stub.answer("POST", "/network/v2.0/ports", Answer(201, {"port": port_row("p")}))
    long = "x" * 60
    tags = {"cloudctl:installation": "here", "cloudctl:system": long}
    clouds.at("province").in_project(PROJECT).create_port(NewPort("p", "n1", ("g",), tags))
    body = stub.calls("POST", "/network/v2.0/ports")[0].body["port"]
    assert body.get("tags") == (["cloudctl:installation=here"] if knows_tags else None)


# -- listings


def test_a_listing_goes_on_page_by_page_wherever_its_links_point(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    def row(number: int) -> dict[str, object]:
        return {"id": f"v{number}", "status": "available", "size": 1, "metadata": {}}

    def page(asked: Asked) -> Answer:
        if "marker" in asked.query:
            return Answer(body={"volumes": [row(2)]})
        link = {
            "rel": "next",
            "href": "http://inner.example:8776/v3/x/volumes/detail?all_tenants=1&marker=v1",
        }
        return Answer(body={"volumes": [row(1)], "volumes_links": [link]})

    stub.answer("GET", f"/volume/v3/{OWN_PROJECT}/volumes/detail", page)
    assert [volume.id for volume in clouds.at("province").list_all_volumes()] == ["v1", "v2"]


def test_a_broken_volume_tells_cinders_reason(stub: StubOpenStack, clouds: OpenStackClouds) -> None:
    row = {"id": "v1", "name": "v", "status": "error", "size": 1, "metadata": {}}
    why = "schedule allocate volume: Could not find any available weighted backend."
    stub.answer("GET", f"{VOLUMES}/detail", Answer(body={"volumes": [row]}))
    stub.answer("GET", f"/volume/v3/{PROJECT}/messages", Answer(body={"messages": [{"user_message": why}]}))
    [volume] = clouds.at("province").in_project(PROJECT).list_volumes()
    assert volume.error == why
    stub.answer("GET", f"/volume/v3/{PROJECT}/messages", Answer(500))
    [volume] = clouds.at("province").in_project(PROJECT).list_volumes()
    assert volume.error == "error"


# -- rights


def test_rights_that_a_member_lacks_are_named_with_the_role_that_would_give_them(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.roles = ("member",)
    forbidden = Answer(403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it."}})
    stub.answer("GET", SERVERS, forbidden)
    rights = {right.name: right for right in clouds.at("province").rights()}
    assert not rights["compute:list_all_servers"].is_held
    assert "Policy" in rights["compute:list_all_servers"].detail
    assert not rights["volume:list_all_volumes"].is_held
    assert "needs role admin, the token has member" in rights["volume:list_all_volumes"].detail
    assert rights["identity:token_for_project"].is_held
    changing = {one.method for one in stub.asked if one.path != "/identity/v3/auth/tokens"}
    assert changing == {"GET"}


def test_cloudctl_gives_itself_the_member_role_and_nobody_anything_else(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    roles = [{"id": "r-reader", "name": "reader"}, {"id": "r-old", "name": "_member_"}]
    stub.answer("GET", "/identity/v3/roles", Answer(body={"roles": roles}))
    path = f"/identity/v3/projects/{PROJECT}/users/{USER}/roles/r-old"
    stub.answer("PUT", path, Answer(204))
    clouds.at("province").ensure_own_access(PROJECT)
    assert len(stub.calls("PUT", path)) == 1


# -- quota


NOVA = f"/compute/v2.1/os-quota-sets/{PROJECT}"
CINDER = f"/volume/v3/{OWN_PROJECT}/os-quota-sets/{PROJECT}"
NEUTRON = f"/network/v2.0/quotas/{PROJECT}"
LIMITS = Amounts({Kind.INSTANCES: 2, Kind.VCPUS: 4, Kind.VOLUMES: 1, Kind.VOLUME_GIB: 5, Kind.PORTS: 2})


def echo(key: str) -> object:
    return lambda asked: Answer(body={key: asked.body[key]})


def quotas_are_kept(stub: StubOpenStack) -> None:
    words = {"port": 500, "security_group": 10, "security_group_rule": 100, "network": 100}
    stub.answer("GET", f"/network/v2.0/quotas/{OWN_PROJECT}/default", Answer(body={"quota": words}))
    stub.answer("PUT", NOVA, lambda asked: Answer(body={"quota_set": asked.body["quota_set"]}))
    stub.answer("PUT", CINDER, lambda asked: Answer(body={"quota_set": asked.body["quota_set"]}))
    stub.answer("PUT", NEUTRON, lambda asked: Answer(body={"quota": asked.body["quota"]}))


def test_a_quota_is_pushed_in_three_calls_with_words_that_the_site_knows(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    quotas_are_kept(stub)
    clouds.at("province").set_quota(PROJECT, LIMITS)
    nova = stub.calls("PUT", NOVA)[0].body["quota_set"]
    assert (nova["instances"], nova["cores"], nova["ram"], nova["force"]) == (2, 4, 0, True)
    cinder = stub.calls("PUT", CINDER)[0].body["quota_set"]
    assert (cinder["volumes"], cinder["gigabytes"], cinder["snapshots"]) == (1, 5, 0)
    neutron = stub.calls("PUT", NEUTRON)[0].body["quota"]
    assert (neutron["port"], neutron["network"]) == (2, 0)
    assert "floatingip" not in neutron  # this Neutron has no routers


def test_a_quota_that_a_service_takes_and_does_not_keep_is_an_error(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    quotas_are_kept(stub)
    stub.answer("PUT", NOVA, Answer(body={"quota_set": {"instances": 10, "cores": 20, "ram": 0}}))
    with pytest.raises(CloudRejected, match="did not keep it: instances=10, cores=20"):
        clouds.at("province").set_quota(PROJECT, LIMITS)


def test_a_limit_below_what_is_used_blocks_growth_at_cinder_and_neutron_too(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    quotas_are_kept(stub)
    refusal = {"badRequest": {"code": 400, "message": "Quota gigabytes limit must be equal or greater than"}}
    kept = stub.says["PUT", CINDER][0]
    stub.answer("PUT", CINDER, Answer(400, refusal), kept)
    usage = {"volumes": {"in_use": 1}, "gigabytes": {"in_use": 9, "reserved": 1}}
    stub.answer("GET", CINDER, Answer(body={"quota_set": usage}))
    neutron = stub.says["PUT", NEUTRON][0]
    stub.answer("PUT", NEUTRON, Answer(400, {"NeutronError": {"message": "must be greater"}}), neutron)
    clouds.at("province").set_quota(PROJECT, LIMITS)
    assert stub.calls("PUT", CINDER)[-1].body["quota_set"]["gigabytes"] == 10
    assert stub.calls("PUT", NEUTRON)[-1].body["quota"]["force"] is True


def test_a_quota_without_limit_reads_as_no_limit_and_not_as_nothing(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.answer("GET", NOVA, Answer(body={"quota_set": {"instances": -1, "cores": 4, "ram": 0}}))
    stub.answer("GET", CINDER, Answer(body={"quota_set": {"volumes": 1, "gigabytes": 5}}))
    stub.answer("GET", NEUTRON, Answer(body={"quota": {"port": 2}}))
    held = clouds.at("province").get_quota(PROJECT)
    assert held[Kind.INSTANCES] == NO_LIMIT
    assert held[Kind.RAM_MIB] == 0


# -- security groups


def rule_row(rule_id: str, rule: Rule) -> dict[str, object]:
    return {
        "id": rule_id, "direction": rule.direction, "ethertype": rule.family, "protocol": rule.protocol,
        "port_range_min": rule.port_min, "port_range_max": rule.port_max, "remote_ip_prefix": rule.remote,
        "remote_group_id": None,
    }  # fmt: skip


def test_only_the_rules_that_differ_are_made_and_removed(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    ssh = Rule("ingress", "IPv4", "tcp", 22, 22, "10.0.0.0/8")
    ping = Rule("ingress", "IPv6", "icmp", remote="::/0")
    everywhere = Rule("egress", "IPv4", None, remote="0.0.0.0/0")
    there = [
        rule_row("old", replace(ssh, port_min=23, port_max=23)),
        rule_row("ping", replace(ping, protocol="ipv6-icmp")),
        rule_row("out", replace(everywhere, remote=None)),  # Neutron's own way to say everywhere
        rule_row("twin", replace(everywhere, remote=None)),
    ]
    group = {"id": "g1", "name": "zone", "security_group_rules": there}
    rules = "/network/v2.0/security-group-rules"
    stub.answer("GET", "/network/v2.0/security-groups", Answer(body={"security_groups": [group]}))
    stub.answer("POST", rules, Answer(201, {"security_group_rules": []}))
    stub.answer("DELETE", f"{rules}/old", Answer(204))
    stub.answer("DELETE", f"{rules}/twin", Answer(404))
    inside = clouds.at("province").in_project(PROJECT)
    assert inside.ensure_security_group("zone", "", [ssh, ping, everywhere]) == "g1"
    [made] = stub.calls("POST", rules)
    assert [rule["port_range_min"] for rule in made.body["security_group_rules"]] == [22]
    assert {one.path for one in stub.asked if one.method == "DELETE"} == {f"{rules}/old", f"{rules}/twin"}
