"""The witness in memory: one register seen from several places, each of which can be cut off from it.

witness = FakeWitness()                       # as somebody sees it whom nobody cuts off
at_city = witness.at("city-1")                # the same register, from there
witness.cut("city-1")                         # calls from there: WitnessUnavailable, until join("city-1")
witness.lose_answers("city-1")                # the next change from there happens, and its answer is lost
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from time import monotonic

from cloudctl.errors import Conflict, WitnessUnavailable
from cloudctl.ports import Member, Observation, Register, Stopped, weakest

_PLACES = ("province", "city-1", "third")


@dataclass
class _State:
    """What the majority has, and who reaches it."""

    now_s: Callable[[], float]
    places: Sequence[str]
    revision: int = 0
    registers: dict[str, Register] = field(default_factory=dict)
    words: dict[tuple[str, str, str], Stopped | None] = field(default_factory=dict)
    leases: dict[tuple[str, str, str], float] = field(default_factory=dict)
    homes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    observations: dict[tuple[str, str, str, str], tuple[float, Observation]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    answers_lost: dict[str, int] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)


class FakeWitness:
    """Implements Witness and Agents. `now_s` is the witness's own clock, in seconds from anywhere."""

    def __init__(self, now_s: Callable[[], float] = monotonic, places: Sequence[str] = _PLACES) -> None:
        self._state = _State(now_s, tuple(places))
        self._place = ""

    # -- the hooks of tests

    def at(self, place: str) -> "FakeWitness":
        """The same witness, as it is seen from that place."""
        seen = FakeWitness.__new__(FakeWitness)
        seen._state, seen._place = self._state, place
        return seen

    def cut(self, place: str) -> None:
        """Nobody at that place reaches a majority."""
        self._state.cut.add(place)

    def join(self, place: str) -> None:
        """End of a cut."""
        self._state.cut.discard(place)

    def stop_member(self, place: str) -> None:
        """The member there is down; with two of three down nobody is answered anywhere."""
        self._state.down.add(place)

    def start_member(self, place: str) -> None:
        """The member there is back."""
        self._state.down.discard(place)

    def lose_answers(self, place: str, count: int = 1) -> None:
        """The next changes from there happen, and who asked for them hears nothing."""
        self._state.answers_lost[place] = count

    # -- Witness

    def read(self, group: str) -> Register | None:
        with self._state.lock:
            self._reach()
            return self._state.registers.get(group)

    def swap(self, before: Register | None, after: Register) -> Register:
        with self._state.lock:
            self._reach()
            now = self._state.registers.get(after.group)
            if (now.version if now else 0) != (before.version if before else 0):
                raise Conflict("the register of {group} has changed since it was read", group=after.group)
            made = replace(after, version=self._next())
            self._state.registers[after.group] = made
            self._answer()
            return made

    def read_stopped(self, group: str, site: str) -> Stopped | None:
        with self._state.lock:
            self._reach()
            words = [word for key, word in self._state.words.items() if key[:2] == (group, site)]
        return weakest(words)

    def lease_s(self, group: str, site: str) -> float:
        with self._state.lock:
            self._reach()
            return max((at for key, at in self._state.leases.items() if key[:2] == (group, site)), default=0)

    def settle(self, group: str, machine: str, site: str, server: str) -> None:
        with self._state.lock:
            self._reach()
            self._state.homes[group, machine] = (site, server)
            self._answer()

    def home(self, group: str, machine: str) -> tuple[str, str] | None:
        with self._state.lock:
            self._reach()
            return self._state.homes.get((group, machine))

    def read_observations(self, group: str) -> list[Observation]:
        with self._state.lock:
            self._reach()
            now = self._state.now_s()
            kept = sorted(self._state.observations.items(), key=lambda one: one[0])
            return [seen for key, (until, seen) in kept if key[0] == group and now < until]

    def members(self) -> list[Member]:
        with self._state.lock:
            reached = [place for place in self._state.places if self._answers(place)]
            has_majority = 2 * len(reached) > len(self._state.places)
            return [
                Member(place, f"https://{place}.example:2379", True, place == reached[0], "3.4.23")
                if place in reached and has_majority
                else Member(place, f"https://{place}.example:2379", False, detail=self._why(place))
                for place in self._state.places
            ]

    # -- Agents

    def enrol(self, group: str, site: str, server: str, lease_s: float = 0) -> None:
        with self._state.lock:
            self._reach()
            key = (group, site, server)
            self._state.words.setdefault(key, None)
            self._state.leases[key] = max(lease_s, self._state.leases.get(key, 0))
            self._answer()

    def say_stopped(self, word: Stopped, server: str, lease_s: float = 0) -> None:
        with self._state.lock:
            self._reach()
            self._state.leases[word.group, word.site, server] = lease_s
            self._state.words[word.group, word.site, server] = word
            self._answer()

    def dismiss(self, group: str, site: str, server: str) -> None:
        with self._state.lock:
            self._reach()
            self._state.words.pop((group, site, server), None)
            self._state.leases.pop((group, site, server), None)
            self._answer()

    def servers(self, group: str, site: str) -> list[str]:
        with self._state.lock:
            self._reach()
            return sorted(key[2] for key in self._state.words if key[:2] == (group, site))

    def observe(self, seen: Observation, keep_s: int) -> None:
        with self._state.lock:
            self._reach()
            key = (seen.group, seen.place, seen.site, seen.what)
            self._state.observations[key] = (self._state.now_s() + keep_s, seen)
            self._answer()

    # -- the pieces

    def _next(self) -> int:
        self._state.revision += 1
        return self._state.revision

    def _answers(self, member: str) -> bool:
        here = self._place
        if member in self._state.down or (here in self._state.cut and member != here):
            return False
        return member == here or member not in self._state.cut

    def _why(self, member: str) -> str:
        return "does not answer" if not self._answers(member) else "has no leader"

    def _reach(self) -> None:
        reached = sum(1 for place in self._state.places if self._answers(place))
        if 2 * reached <= len(self._state.places):
            raise WitnessUnavailable("no majority of the witness answers")

    def _answer(self) -> None:
        if self._state.answers_lost.get(self._place, 0) > 0:
            self._state.answers_lost[self._place] -= 1
            raise WitnessUnavailable("no majority of the witness answers")
