"""What a move makes for the parts of one way: their servers, and no volume that comes another way."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cloudctl.amounts import Amounts, Kind
from dr.failover.described import draw_parts
from dr.plans.document import Database, Document, Part, Way
from dr.restore_plan import Place, PointVolumeFacts

HOME, CITY = "province", "city-1"
PLACE = Place(HOME, networks={"public": "net"}, flavors={"gov.small": Amounts({Kind.VCPUS: 1})})
SERVERS = ("web", "pg-b", "batch", "cache")  # as they are called at the city
VOLUMES = [PointVolumeFacts(number, f"{name}-boot", 1, "standard") for number, name in enumerate(SERVERS)]
LOOSE = PointVolumeFacts(len(SERVERS), "archive", 5, "standard")
DATABASE = Database({HOME: "pg-a", CITY: "pg-b"})
PARTS = (
    Part("web", ("web",), ("db",), Way.POINTS),
    Part("db", ("pg-a",), (), Way.APPLICATION, database=DATABASE),
    Part("batch", ("batch",), (), Way.REPLICATION),
    Part("cache", ("cache",), (), Way.NONE),
)


def made(parts: Sequence[Part], wanted: Sequence[Part]) -> tuple[list[str], list[str]]:
    """The servers and volumes that come for `wanted` in a move from the city home."""
    document = Document("plan", "system", HOME, CITY, 3600, 3600, tuple(parts))
    servers: list[dict[str, Any]] = [
        {"name": name, "flavor": "gov.small", "zone": "public", "boot": number, "data": []}
        for number, name in enumerate(SERVERS)
    ]
    facts: Any = SimpleNamespace(
        point=SimpleNamespace(site_id=CITY), servers=servers, volumes=[*VOLUMES, LOOSE], project="row"
    )
    job: Any = SimpleNamespace(document=document, site=SimpleNamespace(id=HOME))
    drawn = draw_parts(job, facts, wanted, PLACE)
    return [one["name"] for one in drawn.servers], [one["volume"] for one in drawn.volumes]


def test_volumes_of_parts_that_come_another_way_stay_out_whatever_their_servers_are_called_here() -> None:
    servers, volumes = made(PARTS, PARTS[:1])
    assert servers == ["web"]
    assert volumes == ["web-boot", "archive"], "what belongs to no server comes with the points"


@pytest.mark.parametrize("wanted", [PARTS[:1], PARTS[:3:2]])
def test_every_volume_of_the_parts_that_are_wanted_comes(wanted: Sequence[Part]) -> None:
    _servers, volumes = made(PARTS, wanted)
    assert set(volumes) >= {f"{name}-boot" for part in wanted for name in part.servers}


def test_a_plan_of_one_way_brings_everything_of_the_point() -> None:
    whole = (Part("all", ("web", "batch"), (), Way.POINTS),)
    assert made(whole, whole)[1] == [*(f"{name}-boot" for name in SERVERS), "archive"]
