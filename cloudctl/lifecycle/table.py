"""State tables as data, and the one function that moves along them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from cloudctl.errors import WrongState

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class Transition(Generic[S]):
    """One permitted move: from where, by which event, to where, and which roles may cause it."""

    source: S
    event: str
    target: S
    who: frozenset[str] = frozenset()


def move(table: tuple[Transition[S], ...], state: S, event: str) -> S:
    """The state that `event` leads to from `state`; WrongState when the table has no such row."""
    for row in table:
        if row.source == state and row.event == event:
            return row.target
    possible = ", ".join(sorted({row.event for row in table if row.source == state})) or "-"
    raise WrongState(
        "'{event}' is not possible in state '{state}'; possible: {possible}",
        event=event,
        state=state.value,
        possible=possible,
    )
