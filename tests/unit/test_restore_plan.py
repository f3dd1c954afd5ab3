"""What a restore would make, on plain values: mapping, what is needed, and all that is wrong at once."""

from dataclasses import replace
from typing import Any

import pytest

from cloudctl.amounts import Amounts, Kind
from dr.restore_plan import OVER, SYSTEM, Place, Plan, PointVolumeFacts, Standing, Wish, draw

BOOT = PointVolumeFacts(0, "boot", 10, "standard", "row-boot")
DATA = PointVolumeFacts(1, "data", 40, "ssd", "row-data")
SERVER: dict[str, Any] = {
    "name": "vm1", "flavor": "gov.small", "zone": "public", "boot": 0, "data": [1],
    "addresses": {"ipv4": ["10.20.0.5"]},
}  # fmt: skip
SMALL = Amounts({Kind.VCPUS: 1, Kind.RAM_MIB: 1024})
PLACE = Place(
    "city-1",
    {("volume_type", "ssd"): "fast", ("flavor", "gov.small"): "m1.small"},
    {"public": "net-public"},
    {"gov.small": SMALL},
    types_there=("standard", "fast"),
    flavors_there=("m1.small",),
    networks_there=("net-public",),
)
VM = Standing("row-vm", "vm1", "row-boot", ("row-data",), True, "gov.small")


def drawn(wish: Wish, place: Place = PLACE, standing: tuple[Standing, ...] = (VM,)) -> Plan:
    return draw(wish, [BOOT, DATA], [SERVER], place, standing)


def codes(plan: Plan) -> list[tuple[str, str]]:
    return [(one.place, one.code) for one in plan.faults]


def test_types_are_those_of_the_catalogue_at_the_other_site() -> None:
    plan = drawn(Wish())
    assert [(row["position"], row["type_was"], row["type"]) for row in plan.volumes] == [
        (0, "standard", "standard"), (1, "ssd", "fast"),
    ]  # fmt: skip
    assert (plan.faults, plan.notes, plan.servers) == ((), (), ())
    assert plan.needed == Amounts({Kind.VOLUMES: 2, Kind.VOLUME_GIB: 50})


def test_a_type_that_is_not_there_is_replaced_and_that_is_said() -> None:
    plan = drawn(Wish(types={"ssd": "gold"}))
    assert [row["type"] for row in plan.volumes] == ["standard", "standard"]
    assert [(one.place, one.code) for one in plan.notes] == [("volumes.1", "other_type")]
    assert drawn(Wish(types={"ssd": "gold"}), replace(PLACE, types_there=None)).notes == ()


def test_a_volume_is_named_by_its_position_or_its_name() -> None:
    for one in ({"position": 1}, {"volume": "data"}):
        plan = drawn(Wish(volumes=({**one, "name": "again"},)))
        assert [(row["position"], row["name"]) for row in plan.volumes] == [(1, "again")]


def test_all_that_is_wrong_with_the_volumes_comes_at_once() -> None:
    wish = Wish(volumes=({"position": 7}, {"volume": "x"}, {"position": 0}, {"volume": "boot"}))
    assert codes(drawn(wish)) == [
        ("volumes[0].position", "out_of_range"), ("volumes[1].volume", "unknown_word"),
        ("volumes[3]", "twice"),
    ]  # fmt: skip


def test_nothing_can_be_named_in_a_point_whose_contents_are_not_known() -> None:
    plan = draw(Wish(volumes=({"position": 0},)), [], [], PLACE)
    assert codes(plan) == [("volumes", "unknown")]
    assert draw(Wish(), [], [], PLACE).faults == ()


def test_a_system_of_its_own_needs_room_for_its_servers_as_well() -> None:
    plan = drawn(Wish(SYSTEM))
    [server] = plan.servers
    assert (server["flavor"], server["network"], server["boot"], server["data"]) == (
        "gov.small", "net-public", 0, [1],
    )  # fmt: skip
    assert server["addresses_were"] == {"ipv4": ["10.20.0.5"]}
    assert plan.needed == Amounts(
        {Kind.VOLUMES: 2, Kind.VOLUME_GIB: 50, Kind.INSTANCES: 1, Kind.PORTS: 1}
    ) + SMALL  # fmt: skip


def test_a_site_without_flavor_and_network_is_told_with_the_way_out() -> None:
    bare = replace(PLACE, flavors_there=("large",), networks={})
    plan = drawn(Wish(SYSTEM, volumes=({"position": 0},)), bare)
    assert codes(plan) == [
        ("servers.vm1", "no_flavor"), ("servers.vm1", "no_network"), ("servers.vm1", "no_volume"),
    ]  # fmt: skip
    assert plan.faults[0].text().endswith("(name another: --flavor gov.small=NAME)")
    other = replace(bare, networks={"internet": "net-public"})
    assert (
        drawn(Wish(SYSTEM, flavors={"gov.small": "large"}, zones={"public": "internet"}), other).faults == ()
    )


def test_a_flavor_that_nobody_knows_here_is_replaced_by_the_smallest_that_is_not_smaller() -> None:
    large = Amounts({Kind.VCPUS: 4, Kind.RAM_MIB: 8192})
    place = replace(PLACE, flavors={"gov.small": SMALL, "gov.large": large}, flavors_there=None)
    other = {**SERVER, "flavor": "m1.odd", "vcpus": 2, "ram_mib": 2048}
    plan = draw(Wish(SYSTEM), [BOOT, DATA], [other], place)
    assert [one["flavor"] for one in plan.servers] == ["gov.large"]
    assert [(one.place, one.code) for one in plan.notes] == [("servers.vm1", "other_flavor")]
    huge = draw(Wish(SYSTEM), [BOOT, DATA], [{**other, "ram_mib": 9000}], PLACE)
    assert codes(huge) == [("servers.vm1", "no_flavor")]


def test_over_what_is_there_names_the_servers_that_stop() -> None:
    plan = drawn(Wish(OVER, volumes=({"volume": "data"},)))
    assert [one["name"] for one in plan.servers] == ["vm1"]
    assert [row["original"] for row in plan.volumes] == ["row-data"]
    elsewhere = replace(VM, boot="other", data=())
    assert drawn(Wish(OVER), standing=(elsewhere,)).servers == ()


@pytest.mark.parametrize("broken", [{"boot": None}, {"has_port": False}, {"flavor": ""}])
def test_a_server_that_cloudctl_could_not_make_anew_is_not_stopped(broken: dict[str, Any]) -> None:
    assert codes(drawn(Wish(OVER), standing=(replace(VM, **broken),))) == [("servers.vm1", "not_made_here")]


def test_a_volume_that_is_gone_cannot_be_restored_over() -> None:
    plan = draw(Wish(OVER), [replace(BOOT, original=None), DATA], [], PLACE, (VM,))
    assert codes(plan) == [("volumes.0", "gone")]
