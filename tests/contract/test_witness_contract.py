"""What every witness does, run on the one in memory and on three real members of etcd."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from cloudctl.errors import Conflict, WitnessUnavailable
from cloudctl.ports import Agents, Observation, Register, Stopped, Witness
from provisioning.drivers.fake_witness import FakeWitness
from tests.etcd import PLACES, EtcdMembers


class Both(Witness, Agents, Protocol):
    """What an implementation is."""


@dataclass
class WitnessBench:
    """One implementation, and how a test loses and brings back its members."""

    witness: Both
    stop: Callable[[str], None]
    start: Callable[[str], None]
    pass_time: Callable[[], None]  # enough for what is kept for one second to be forgotten
    group: str
    await_choice: Callable[[], None]  # until those that are left agree on who leads

    def first(self, **what: object) -> Register:
        """An entry for the group of this test."""
        return replace(Register(self.group, 1, "province", True, "province"), **what)  # type: ignore[arg-type]


@pytest.fixture(params=["fake", "etcd"])
def bench(request: pytest.FixtureRequest) -> Iterator[WitnessBench]:
    group = f"plan {uuid.uuid4().hex}/一"
    if request.param == "fake":
        now = [100.0]
        fake = FakeWitness(lambda: now[0], tuple(PLACES))

        def later() -> None:
            now[0] += 1.0

        yield WitnessBench(fake, fake.stop_member, fake.start_member, later, group, lambda: None)
        return
    members: EtcdMembers = request.getfixturevalue("etcd_members")
    witness = members.witness()

    def until_forgotten() -> None:
        deadline = time.monotonic() + 15
        while witness.read_observations(group) and time.monotonic() < deadline:
            pass

    stop, start, agreed = members.kill, members.start, members.await_majority
    yield WitnessBench(witness, stop, start, until_forgotten, group, agreed)
    members.start()
    members.await_majority()


def test_a_group_has_no_entry_until_one_is_put_there(bench: WitnessBench) -> None:
    assert bench.witness.read(bench.group) is None
    made = bench.witness.swap(None, bench.first())
    assert made == replace(bench.first(), version=made.version)
    assert made.version > 0
    assert bench.witness.read(bench.group) == made


def test_an_entry_reads_back_with_every_field(bench: WitnessBench) -> None:
    one = bench.first(epoch=7, holder="city-1", is_open=False, last="province", owner="move 12 甲")
    made = bench.witness.swap(None, one)
    assert bench.witness.read(bench.group) == made == replace(one, version=made.version)


def test_a_swap_of_what_is_no_longer_there_changes_nothing(bench: WitnessBench) -> None:
    first = bench.witness.swap(None, bench.first())
    second = bench.witness.swap(first, replace(first, epoch=2, is_open=False))
    assert second.version > first.version
    for before in (first, None):
        with pytest.raises(Conflict):
            bench.witness.swap(before, replace(first, epoch=3))
    assert bench.witness.read(bench.group) == second


def test_a_swap_that_is_there_already_is_a_conflict_all_the_same(bench: WitnessBench) -> None:
    first = bench.witness.swap(None, bench.first())
    after = replace(first, epoch=2)
    bench.witness.swap(first, after)
    with pytest.raises(Conflict):
        bench.witness.swap(first, after)


def test_of_many_who_swap_at_once_one_wins(bench: WitnessBench) -> None:
    before = bench.witness.swap(None, bench.first())

    def seize(number: int) -> bool:
        try:
            bench.witness.swap(before, replace(before, epoch=2, owner=f"move {number}"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(seize, range(16))) == 1


def test_groups_whose_names_begin_alike_are_apart(bench: WitnessBench) -> None:
    longer = f"{bench.group}/province"
    bench.witness.swap(None, bench.first())
    assert bench.witness.read(longer) is None
    bench.witness.enrol(longer, "x", "db-1")
    bench.witness.observe(Observation(longer, "third", "province", "api", True, "2026-11-26T08:00:00Z"), 60)
    assert bench.witness.servers(bench.group, "province") == []
    assert bench.witness.read_observations(bench.group) == []


def word(bench: WitnessBench, epoch: int, seen: int, second: int = 0) -> Stopped:
    return Stopped(bench.group, "province", epoch, f"2026-11-26T08:00:0{second}+00:00", seen)


def test_a_site_has_said_it_when_each_of_its_servers_has(bench: WitnessBench) -> None:
    witness, group = bench.witness, bench.group
    assert witness.read_stopped(group, "province") is None
    witness.enrol(group, "province", "db-1")
    witness.enrol(group, "province", "应用/2")
    witness.say_stopped(word(bench, epoch=3, seen=5, second=1), "db-1")
    assert witness.read_stopped(group, "province") is None
    witness.say_stopped(word(bench, epoch=4, seen=6, second=2), "应用/2")
    assert witness.read_stopped(group, "province") == word(bench, epoch=4, seen=5, second=2)
    assert witness.servers(group, "province") == ["db-1", "应用/2"]
    assert witness.read_stopped(group, "city-1") is None


def test_who_is_enrolled_again_keeps_its_word_and_who_is_dismissed_counts_no_more(
    bench: WitnessBench,
) -> None:
    witness, group = bench.witness, bench.group
    witness.enrol(group, "province", "db-1")
    witness.say_stopped(word(bench, epoch=1, seen=2), "db-1")
    witness.enrol(group, "province", "db-1")
    assert witness.read_stopped(group, "province") == word(bench, epoch=1, seen=2)
    witness.enrol(group, "province", "db-2")
    for _ in range(2):
        witness.dismiss(group, "province", "db-2")
    assert witness.read_stopped(group, "province") == word(bench, epoch=1, seen=2)
    witness.say_stopped(word(bench, epoch=3, seen=4), "db-1")
    assert witness.read_stopped(group, "province") == word(bench, epoch=3, seen=4)


def test_what_is_seen_takes_the_place_of_what_was_seen(bench: WitnessBench) -> None:
    def seen(place: str, what: str, is_ok: bool, detail: str = "") -> Observation:
        return Observation(bench.group, place, "province", what, is_ok, "2026-11-26T08:00:00Z", detail)

    for one in (seen("third", "api", True), seen("city-1", "application", True), seen("city-1", "api", True)):
        bench.witness.observe(one, 60)
    bench.witness.observe(seen("third", "api", False, "timed out 超时"), 60)
    assert bench.witness.read_observations(bench.group) == [
        seen("city-1", "api", True),
        seen("city-1", "application", True),
        seen("third", "api", False, "timed out 超时"),
    ]


def test_what_was_seen_is_forgotten_when_nobody_says_it_again(bench: WitnessBench) -> None:
    bench.witness.observe(
        Observation(bench.group, "third", "province", "api", False, "2026-11-26T08:00:00Z"), 1
    )
    assert len(bench.witness.read_observations(bench.group)) == 1
    bench.pass_time()
    assert bench.witness.read_observations(bench.group) == []


def test_one_member_of_three_may_be_lost_and_two_may_not(bench: WitnessBench) -> None:
    witness, group = bench.witness, bench.group
    made = witness.swap(None, bench.first())
    first, second = sorted(witness.members(), key=lambda one: not one.is_leader)[:2]
    bench.stop(first.name)
    bench.await_choice()  # nobody answers while they choose anew who leads
    assert witness.read(group) == made
    bench.stop(second.name)
    calls: list[Callable[[], object]] = [
        lambda: witness.read(group),
        lambda: witness.swap(made, replace(made, epoch=2)),
        lambda: witness.read_stopped(group, "province"),
        lambda: witness.say_stopped(word(bench, epoch=1, seen=2), "db-1"),
    ]
    for call in calls:
        with pytest.raises(WitnessUnavailable) as refused:
            call()
        assert refused.value.retry
    assert not any(member.is_ok for member in witness.members())


def test_each_member_says_how_it_is(bench: WitnessBench) -> None:
    members = bench.witness.members()
    assert sorted(member.name for member in members) == sorted(PLACES)
    assert all(member.is_ok and member.place.startswith("https://") and member.detail for member in members)
    assert sum(member.is_leader for member in members) == 1
    bench.stop("third")
    lost = {member.name: member for member in bench.witness.members()}["third"]
    assert not lost.is_ok
    assert lost.detail


def test_the_longest_lease_that_agents_of_a_site_run_with_is_known(bench: WitnessBench) -> None:
    witness, group = bench.witness, bench.group
    assert witness.lease_s(group, "province") == 0
    witness.enrol(group, "province", "db-1", 30)
    witness.enrol(group, "province", "db-2", 10)
    witness.enrol(group, "city-1", "db-1", 90)
    assert witness.lease_s(group, "province") == 30
    witness.enrol(group, "province", "db-2", 60)
    witness.enrol(group, "province", "db-1", 5)
    assert witness.lease_s(group, "province") == 60
    assert witness.read_stopped(group, "province") is None
    for server in ("db-1", "db-2"):
        witness.say_stopped(word(bench, epoch=1, seen=2), server, 20)
    assert witness.lease_s(group, "province") == 20
    witness.enrol(group, "province", "db-1", 25)
    assert witness.lease_s(group, "province") == 25
    assert witness.read_stopped(group, "province") == word(bench, epoch=1, seen=2)


def test_a_machine_is_whom_it_was_settled_as(bench: WitnessBench) -> None:
    witness, group = bench.witness, bench.group
    assert witness.home(group, "id-1") is None
    witness.settle(group, "id-1", "city-1", "应用/2")
    assert witness.home(group, "id-1") == ("city-1", "应用/2")
    assert witness.home(f"{group}/x", "id-1") is None
    witness.settle(group, "id-1", "province", "db-1")
    assert witness.home(group, "id-1") == ("province", "db-1")
