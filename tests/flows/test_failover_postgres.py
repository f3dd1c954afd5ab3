"""A planned move, the way back ready, and a loss, on two real PostgreSQL of this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl.models import Resource
from dr.failover import back
from dr.failover.job import PLANNED
from tests import postgres_pair
from tests.contract.database_bench import LocalPlays, Real
from tests.flows.moving import CITY, PLAN, PROVINCE
from tests.flows.switching import SERVER, Switching, switching


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Switching, Real]]:
    made = switching(tmp_path)
    with postgres_pair.a_pair() as pair:
        made.plays = LocalPlays(pair)
        addresses = {PROVINCE: postgres_pair.ADDRESS["one"], CITY: postgres_pair.ADDRESS["two"]}
        with made.cores[CITY].store.write() as uow:
            for site, address in addresses.items():
                [row] = uow.all(Resource, Resource.name == SERVER[site])
                row.addresses = {"ipv4": [address]}
        pair.ask("one", "CREATE TABLE note (number serial, text text)")
        yield made, Real(made.asked(), pair)
    assert not made.overlaps
    made.close()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_database_goes_to_the_other_site_and_the_old_one_follows_it(world: tuple[Switching, Real]) -> None:
    here, bench = world
    here.set_up()
    bench.write(PROVINCE, "a")
    row = here.work(CITY, here.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert row.marker["application"]["db"]["there"] >= row.marker["application"]["db"]["position"]
    assert bench.texts(CITY) == ["a"]
    bench.write(CITY, "b")
    asked = back.begin(here.cores[CITY], here.actor(CITY, "olga"), PLAN, "the water has gone down")
    done = here.run(asked["operation_id"])
    assert done.state == "done", done.error_message
    bench.pair.arrives("one", "SELECT string_agg(text, ',' ORDER BY number) FROM note", "a,b")
    with pytest.raises(bench.pair.failure):
        bench.write(PROVINCE, "c")
