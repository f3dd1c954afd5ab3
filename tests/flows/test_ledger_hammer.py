"""Many processes at one department: never over a limit, nothing left held, no deadlock."""

import multiprocessing
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import RequestState, ResourceState
from cloudctl.models import Hold, Operation, QuotaRow, Resource, ServiceRequest
from tenants import approvals, ledger, requests
from tests.builders import a_province, a_vm_form, an_actor
from tests.conftest import make_core
from tests.flows import hammering
from tests.flows.hammering import WAITING, WORKING, end, give_back

LIMITS = (("department:gx-finance", "*", 9), ("division:450000", "province", 8), ("division:450000", "*", 11))

# Sees every commit that lets a level grow beyond its limit; what is rolled back is no grant.
SQLITE_OBSERVER = """
CREATE TABLE seen_over (id INTEGER, load INTEGER);
CREATE TRIGGER observer AFTER UPDATE ON quota WHEN NEW.load > NEW."limit" AND NEW.load > OLD.load
BEGIN INSERT INTO seen_over VALUES (NEW.id, NEW.load); END;
"""
POSTGRES_OBSERVER = """
CREATE TABLE seen_over (id INTEGER, load INTEGER);
CREATE FUNCTION observe() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO seen_over VALUES (NEW.id, NEW.load); RETURN NEW; END $$;
CREATE TRIGGER observer AFTER UPDATE ON quota FOR EACH ROW
WHEN (NEW.load > NEW."limit" AND NEW.load > OLD.load) EXECUTE FUNCTION observe();
"""


def a_limited_province(home: Path, url: str = "") -> Core:
    home.mkdir(exist_ok=True)
    core = make_core(home, url)
    a_province(core)
    for scope, site, limit in LIMITS:
        ledger.set_limit(core, an_actor(core, "dave"), scope, site, "instances", limit)
    return core


def hammer(home: Path, url: str, processes: int, rounds: int) -> Counter[str]:
    """Start them all, and add up what they did; any that met an error fails the test."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.flows.hammering"])
    with context.Pool(processes) as pool:
        calls = [(home, url, seed, rounds) for seed in range(processes)]
        ends = pool.starmap(hammering.hammer, calls, chunksize=1)
    errors = [end for end in ends if isinstance(end, str)]
    assert not errors, errors[0]
    return sum((end for end in ends if not isinstance(end, str)), Counter())


def end_everything(core: Core) -> None:
    """Withdraw what waits, end what is being made, give back what is there."""
    with core.store.read() as uow:
        waiting = uow.all(ServiceRequest, ServiceRequest.state.in_(WAITING))
        working = uow.all(ServiceRequest, ServiceRequest.state.in_(WORKING))
    for request in waiting:
        requests.withdraw(core, an_actor(core, request.requested_by), request.id)
    for request in working:
        end(core, request, is_built=False)
    with core.store.write() as uow:
        give_back(uow, uow.column(Resource.id, Resource.state == ResourceState.ACTIVE))


def assert_right(core: Core, done: Counter[str], seen_over: int) -> None:
    print(dict(done))
    assert done["submit"] and done["approve"] and done["over_quota"] and done["end_operation"]
    assert seen_over == 0
    assert ledger.drift(core) == []
    end_everything(core)
    with core.store.read() as uow:
        assert set(uow.column(QuotaRow.held)) == {0}
        assert set(uow.column(QuotaRow.used)) == {0}
        assert uow.count(Hold, Hold.state == "held") == 0
        assert uow.count(QuotaRow, QuotaRow.load > QuotaRow.limit) == 0
    assert ledger.drift(core) == []
    assert core.audit.verify(core.store).is_intact


@pytest.mark.postgres
def test_sixteen_processes_on_postgresql_never_go_over_a_limit(home: Path, postgres_url: str) -> None:
    core = a_limited_province(home, postgres_url)
    database = postgres_url.replace("+psycopg", "")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(POSTGRES_OBSERVER)
    done = hammer(home, postgres_url, processes=16, rounds=20)
    with psycopg.connect(database) as connection:
        seen = connection.execute("SELECT count(*) FROM seen_over").fetchone()
    assert seen is not None
    assert_right(core, done, seen[0])
    core.store.close()


def test_four_processes_on_sqlite_never_go_over_a_limit(home: Path) -> None:
    core = a_limited_province(home)
    with sqlite3.connect(home / "cloudctl.db") as connection:
        connection.executescript(SQLITE_OBSERVER)
    done = hammer(home, "", processes=4, rounds=40)
    with sqlite3.connect(home / "cloudctl.db") as connection:
        [seen] = connection.execute("SELECT count(*) FROM seen_over").fetchone()
    assert_right(core, done, seen)
    core.store.close()


@pytest.mark.soak
@pytest.mark.postgres
def test_sixteen_processes_for_a_long_time(home: Path, postgres_url: str) -> None:
    core = a_limited_province(home, postgres_url)
    database = postgres_url.replace("+psycopg", "")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(POSTGRES_OBSERVER)
    done = hammer(home, postgres_url, processes=16, rounds=600)
    with psycopg.connect(database) as connection:
        seen = connection.execute("SELECT count(*) FROM seen_over").fetchone()
    assert seen is not None
    assert_right(core, done, seen[0])
    core.store.close()


# -- races of two ---------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def province(request: pytest.FixtureRequest, home: Path) -> Core:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    return a_limited_province(home, url)


def both(act: Callable[[], object], other: Callable[[], object]) -> list[str]:
    """Do both at the same time; how each ended, sorted."""
    barrier, ends = threading.Barrier(2), []

    def run(one: Callable[[], object]) -> None:
        barrier.wait()
        try:
            one()
            ends.append("done")
        except CloudctlError as error:
            ends.append(error.code)

    threads = [threading.Thread(target=run, args=[one]) for one in (act, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)


@pytest.mark.parametrize("turn", range(5))
def test_of_two_decisions_at_once_one_wins(province: Core, turn: int) -> None:
    number = requests.submit(province, an_actor(province, "alice"), a_vm_form())
    approvals.approve(province, an_actor(province, "bob"), number)
    carol = an_actor(province, "carol")
    ends = both(
        lambda: approvals.approve(province, carol, number),
        lambda: approvals.reject(province, carol, number, "no"),
    )
    assert ends in (["conflict", "done"], ["done", "wrong_state"])
    with province.store.read() as uow:
        state = uow.need(ServiceRequest, number).state
        assert uow.count(Operation) == (1 if state == RequestState.BUILDING else 0)
        assert uow.count(Hold, Hold.state == "held") == (6 if state == RequestState.BUILDING else 0)
    province.store.close()


def test_the_same_click_twice_at_once_is_one_request(province: Core) -> None:
    alice = an_actor(province, "alice")
    ids: list[int] = []
    click = lambda: ids.append(requests.submit(province, alice, a_vm_form(), "one click"))  # noqa: E731
    assert both(click, click) == ["done", "done"]
    assert len(set(ids)) == 1
    with province.store.read() as uow:
        assert uow.count(ServiceRequest) == 1
        assert {row.held for row in uow.all(QuotaRow, QuotaRow.kind == "instances")} == {3}
    province.store.close()


def test_two_releases_of_the_same_server_at_once_are_one(province: Core) -> None:
    number = requests.submit(province, an_actor(province, "alice"), a_vm_form(count=1))
    for who in ("bob", "carol"):
        approvals.approve(province, an_actor(province, who), number)
    with province.store.read() as uow:
        end(province, uow.need(ServiceRequest, number), is_built=True)
    form = {"kind": "release", "resources": [f"r{number}"]}
    alice = an_actor(province, "alice")
    release = lambda: requests.submit(province, alice, form)  # noqa: E731
    assert both(release, release) == ["bad_input", "done"]
    province.store.close()
