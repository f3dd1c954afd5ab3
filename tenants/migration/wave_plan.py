"""Waves (迁移批次): their states, and whether a plan of waves and systems can be carried out. Pure."""

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from cloudctl.errors import Fault
from cloudctl.lifecycle import MigrationStage, Transition
from tenants.register.fields import STAGES


class WaveState(StrEnum):
    """Where a wave stands. Stored: never rename one without a migration."""

    DRAFT = "draft"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


def _w(source: str, event: str, target: str) -> Transition[WaveState]:
    return Transition(WaveState(source), event, WaveState(target), frozenset({"planner"}))


WAVE: tuple[Transition[WaveState], ...] = (
    _w("draft", "start", "running"),
    _w("running", "finish", "done"),
    _w("draft", "cancel", "cancelled"),
    _w("running", "cancel", "cancelled"),
)
OPEN = (WaveState.DRAFT, WaveState.RUNNING)
MOVED = (MigrationStage.TRIAL, MigrationStage.ACCEPTED, MigrationStage.DONE)
STAYS = (MigrationStage.EXEMPT, MigrationStage.RETIRED, MigrationStage.MERGED)
Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True)
class WavePlan:
    """A wave as others refer to it."""

    id: int
    name: str
    state: str
    starts_on: date
    ends_on: date
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class Member:
    """A system in a wave, as far as the plan looks at it."""

    system: str
    name: str
    stage: MigrationStage
    after: tuple[str, ...] = ()
    is_classified: bool = False
    is_in_scope: bool = True
    other_wave: str | None = None  # an open one that has it already


def circle(graph: Mapping[Node, Sequence[Node]]) -> tuple[Node, ...]:
    """Some nodes that wait for each other, the first repeated at the end; empty when none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def earlier(wave: WavePlan, waves: Mapping[int, WavePlan]) -> set[int]:
    """Every wave that this one comes after, directly or through others."""
    found: set[int] = set()
    edge = [*wave.after]
    while edge:
        one = edge.pop()
        if one not in found and one in waves:
            found.add(one)
            edge += waves[one].after
    return found


def wave_faults(wave: WavePlan, waves: Mapping[int, WavePlan]) -> Iterator[Fault]:
    """What is wrong with the dates and the order of a wave among the others; `waves` has it too."""
    if wave.ends_on < wave.starts_on:
        params = {"start": wave.starts_on.isoformat()}
        yield Fault("ends_on", "date_order", "the wave cannot end before it starts on {start}", params)
    for number in wave.after:
        other = waves.get(number)
        if other is None or other.state == WaveState.CANCELLED:
            yield Fault("after", "unknown_wave", "there is no wave {id} to come after", {"id": number})
        elif number != wave.id and wave.starts_on <= other.ends_on:
            params = {"name": other.name, "day": other.ends_on.isoformat()}
            template = "the wave starts before {name} ends on {day}, which it comes after"
            yield Fault("starts_on", "overlap", template, params)
    found = circle({number: one.after for number, one in waves.items()})
    if wave.id in found:
        names = " → ".join(waves[number].name for number in found)
        yield Fault("after", "circle", "these waves wait for each other: {names}", {"names": names})


def member_faults(
    members: Sequence[Member], moved: Container[str], planned_before: Container[str]
) -> Iterator[Fault]:
    """Which systems cannot be in the wave, and which wait for something that does not come before them.

    `moved` are systems that are on the cloud already, `planned_before` those of waves that come before.
    """
    inside = {one.system for one in members}
    for one in members:
        place, params = f"systems[{one.system}]", {"name": one.name, "stage": STAGES[one.stage]}
        if one.is_classified:
            yield Fault(place, "classified", "a classified system never moves onto the cloud")
        elif one.stage in MOVED:
            yield Fault(place, "moved", "{name} has moved already: {stage}", params)
        elif one.stage in STAYS:
            yield Fault(place, "stays", "{name} does not move: {stage}", params)
        if not one.is_in_scope:
            yield Fault(place, "outside", "{name} lies outside the scope of the wave", params)
        if one.other_wave is not None:
            params = {**params, "wave": one.other_wave}
            yield Fault(place, "other_wave", "{name} is in the wave {wave} already", params)
        for other in one.after:
            if other not in inside and other not in planned_before and other not in moved:
                template = "{name} waits for {other}, which has not moved and is in no wave before"
                yield Fault(place, "waits", template, {**params, "other": other})
    found = circle({one.system: one.after for one in members})
    if found:
        template = "these systems wait for each other: {names}"
        yield Fault("systems", "circle", template, {"names": " → ".join(found)})


def in_order(members: Sequence[Member]) -> list[Member]:
    """The members as they move: as they are given, but each after what it waits for; circles as given."""
    inside = {one.system for one in members}
    left, ordered = list(members), []
    placed: set[str] = set()
    while left:
        ready = next((one for one in left if not inside & {*one.after} - placed), left[0])
        left.remove(ready)
        ordered.append(ready)
        placed.add(ready.system)
    return ordered
