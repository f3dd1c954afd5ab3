"""The same rows on PostgreSQL: taken in there, and counted on from there."""

from pathlib import Path

import pytest

from cloudctl import mirror
from cloudctl.actors import INSTALLATION, Role
from cloudctl.models import ProtectionPlan, RoleGrant, SiteExport, User
from dr.alone import importing, keys, rounds, tables, taking_over
from dr.failover.job import UNPLANNED
from tests.builders import a_person
from tests.conftest import make_core
from tests.flows.moving import CITY, PROVINCE
from tests.flows.test_alone_story import merge, take_over
from tests.standing_by import BUCKET, a_pair

pytestmark = pytest.mark.postgres


def test_the_city_works_alone_on_postgresql_and_is_merged(tmp_path: Path, postgres_url: str) -> None:
    pair = a_pair(tmp_path)
    pair.city.store.close()
    folder = tmp_path / "city-on-postgresql"
    folder.mkdir()
    (tmp_path / CITY / "keys").rename(folder / "keys")
    pair.world.cores[CITY] = make_core(folder, postgres_url, pair.clock)
    opened, _site = importing.opening(folder / "keys" / keys.PRIVATE)
    importing.take_in(pair.city, importing.read(pair.stores, opened, BUCKET))
    with pair.home.store.read() as uow:
        there = mirror.read(uow, tables.KEPT)
    with pair.city.store.read() as uow:
        assert mirror.read(uow, tables.KEPT) == there
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(15)
    pair.round()
    take_over(pair)
    a_person(pair.city, "hua", Role.DR_OFFICER, INSTALLATION)  # its number comes after those that were given
    with pair.city.store.read() as uow:
        assert uow.get(User, "gao") is not None
        assert uow.count(RoleGrant) == len(set(uow.column(RoleGrant.id)))
    pair.world.work(CITY, pair.world.begin(UNPLANNED))
    pair.round(CITY)
    assert [one["state"] for one in merge(pair)["moves"]] == ["shifted"]
    pair.clock.advance(30)
    pair.round(PROVINCE)
    head = rounds.watch_home(pair.city, pair.stores)
    taking_over.stand_by(pair.city, pair.actor("dave"), "it is back", head)
    pair.round(CITY)
    with pair.city.store.read() as uow:
        assert uow.get(User, "hua") is None
        assert [plan.active_site_id for plan in uow.all(ProtectionPlan)] == [CITY]
        assert uow.count(SiteExport) == 1
    pair.world.close()
