"""Names, ids, tags, zone rules and the list of what a draft wants."""

from typing import Any

import pytest

from cloudctl.amounts import Amounts, Kind
from provisioning import naming, zone_rules
from provisioning.desired import Asked, wanted

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEmaYkCvKEUtvNj4DfcAIbW1YbU8De5G4kboVjHGH/RS alice@gx-finance"
FLAVOR = Amounts({Kind.VCPUS: 2, Kind.RAM_MIB: 4096})


def a_draft(count: int = 3) -> dict[str, Any]:
    disks = [{"size_gib": 171, "type": "standard"}, {"size_gib": 170, "type": "ssd"}]
    return {
        "servers": [{"name": f"app{n}", "data_volumes": disks} for n in range(count)],
        "flavor": "gov.medium",
        "image": "debian-12",
        "boot_gib": 40,
        "boot_type": "standard",
        "ssh_key": KEY,
        "login": "debian",
    }


def asked(draft: dict[str, Any], kind: str = "vm", installation: str = "here") -> Asked:
    return Asked(installation, "province", "gx-finance-budget", 7, kind, "public", draft, FLAVOR)


def test_names_say_system_request_and_part() -> None:
    names = [one.name for one in wanted(asked(a_draft(1)))]
    assert names == [
        "gx-finance-budget-r7-vm1-port",
        "gx-finance-budget-r7-vm1-boot",
        "gx-finance-budget-r7-vm1-data1",
        "gx-finance-budget-r7-vm1-data2",
        "gx-finance-budget-r7-vm1",
    ]


def test_the_same_draft_gives_the_same_list_and_another_installation_other_ids() -> None:
    first, again = wanted(asked(a_draft())), wanted(asked(a_draft()))
    assert first == again
    elsewhere = wanted(asked(a_draft(), installation="there"))
    assert [one.name for one in elsewhere] == [one.name for one in first]
    assert not {one.id for one in elsewhere} & {one.id for one in first}


def test_what_is_needed_comes_before_what_needs_it_and_is_named_by_id() -> None:
    rows = wanted(asked(a_draft()))
    place = {one.id: index for index, one in enumerate(rows)}
    assert len(place) == 3 * 5
    for server in (one for one in rows if one.kind == "server"):
        parts = [server.spec["port"], server.spec["boot"], *server.spec["data"]]
        assert len(parts) == 4
        assert all(place[part] < place[server.id] for part in parts)
        assert all(rows[place[part]].spec["server"] == server.id for part in parts)


def test_the_rows_together_count_what_the_ledger_holds() -> None:
    total = sum((one.amounts for one in wanted(asked(a_draft()))), Amounts())
    assert total == Amounts(
        {
            Kind.INSTANCES: 3,
            Kind.VCPUS: 6,
            Kind.RAM_MIB: 3 * 4096,
            Kind.VOLUMES: 9,
            Kind.VOLUME_GIB: 3 * (40 + 171 + 170),
            Kind.PORTS: 3,
        }
    )


def test_volumes_alone_know_the_server_they_go_to() -> None:
    draft = {"volumes": [{"size_gib": 100, "type": "ssd"}], "attach_to": "abc"}
    [row] = wanted(asked(draft, "volume"))
    assert row.name == "gx-finance-budget-r7-data1"
    assert row.spec["attach_to"] == "abc"
    assert row.amounts == Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: 100})


def test_a_new_project_wants_nothing_more() -> None:
    assert wanted(asked({}, "project")) == []


def test_a_key_pair_is_named_from_the_key_and_not_from_its_comment() -> None:
    assert naming.key_pair(KEY) == naming.key_pair(KEY.replace("alice@gx-finance", "bob"))
    assert naming.key_pair(KEY).startswith("cloudctl-")
    assert naming.key_pair(KEY) != naming.key_pair("ssh-ed25519 AAAA")


def test_tags_tell_ours_from_those_of_another_installation_or_request() -> None:
    tags = naming.tags("here", "gx-finance-budget", 7, "abc")
    assert naming.is_of(tags, "here", 7)
    assert not naming.is_of(tags, "there", 7)
    assert not naming.is_of(tags, "here", 8)
    assert not naming.is_of({}, "here", 7)
    assert "cloudctl:request=7" in naming.labels(tags)


@pytest.mark.parametrize("zone", ["public", "dedicated", "internet"])
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_every_zone_lets_everything_out_and_icmpv6_in(zone: str, level: int) -> None:
    rules = zone_rules.rules(zone, level)
    egress = {(rule.family, rule.remote) for rule in rules if rule.direction == "egress"}
    assert egress == {("IPv4", "0.0.0.0/0"), ("IPv6", "::/0")}
    assert any(rule.protocol == "ipv6-icmp" and rule.family == "IPv6" for rule in rules)
    assert len(set(rules)) == len(rules)


def test_ssh_is_open_to_the_provinces_networks_only() -> None:
    for zone in ("public", "dedicated", "internet"):
        ssh = [rule for rule in zone_rules.rules(zone, 3) if rule.port_min == 22]
        assert {rule.remote for rule in ssh} == set(zone_rules.MANAGEMENT)
        assert {rule.family for rule in ssh} == {"IPv4", "IPv6"}


def test_a_level_three_system_on_the_internet_has_https_and_no_plain_http_nor_neighbours() -> None:
    rules = [rule for rule in zone_rules.rules("internet", 3) if rule.direction == "ingress"]
    assert {rule.port_min for rule in rules if rule.remote in ("0.0.0.0/0", "::/0")} == {443, None}
    assert not any(rule.remote is None for rule in rules)  # None is the group itself
    assert any(rule.port_min == 80 for rule in zone_rules.rules("internet", 2))
