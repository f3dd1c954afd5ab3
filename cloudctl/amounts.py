"""Typed quantities: what a limit limits and a request asks, each with its unit in the name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from cloudctl.errors import BadInput, Fault

Limited = tuple[int | None, int, int]  # limit, guarantee, load of one level


class Kind(StrEnum):
    """What can be counted. The values are stored and are JSON keys: never rename one."""

    INSTANCES = "instances"
    VCPUS = "vcpus"
    RAM_MIB = "ram_mib"
    VOLUMES = "volumes"
    VOLUME_GIB = "volume_gib"
    PORTS = "ports"


class Amounts(Mapping[Kind, int]):
    """An immutable amount of each kind; a kind not named is zero, and zeros are not kept.

    Built from kinds or their values. Refuses what is no Kind: a mistyped key would pass every limit.
    """

    __slots__ = ("_by_kind",)

    def __init__(self, by_kind: Mapping[Kind, int] | Mapping[str, int] | None = None) -> None:
        self._by_kind = {Kind(kind): int(n) for kind, n in (by_kind or {}).items() if n}

    def __getitem__(self, kind: Kind) -> int:
        return self._by_kind.get(Kind(kind), 0)

    def __iter__(self) -> Iterator[Kind]:
        return (kind for kind in Kind if kind in self._by_kind)

    def __len__(self) -> int:
        return len(self._by_kind)

    def __hash__(self) -> int:
        return hash(frozenset(self._by_kind.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amounts) and self._by_kind == other._by_kind

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts({kind: self[kind] + other[kind] for kind in Kind})

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts({kind: self[kind] - other[kind] for kind in Kind})

    def __mul__(self, times: int) -> "Amounts":
        return Amounts({kind: self[kind] * times for kind in self})

    def __repr__(self) -> str:
        return "Amounts(" + ", ".join(f"{kind.value}={self[kind]}" for kind in self) + ")"

    def as_json(self) -> dict[str, int]:
        return {kind.value: self[kind] for kind in self}


def room(levels: Iterable[Limited]) -> int | None:
    """How much more fits at the first of nested levels (given leaf up), as the tightest of all leaves it.

    What is left of a level's guarantee is counted in the levels above already. None: no level has a limit.
    """
    least: int | None = None
    for limit, guarantee, load in reversed(list(levels)):
        above = None if least is None else least + max(0, guarantee - load)
        here = None if limit is None else max(0, limit - load)
        known = [n for n in (here, above) if n is not None]
        least = min(known) if known else None
    return least


_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMGTP]?)(i?)B?\s*", re.IGNORECASE)
_EXPONENT = {"": 3, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def parse_gib(text: str, place: str = "size") -> int:
    """Read "1 TiB", "1TB", "500G" or "40" as whole GiB, rounded up.

    Cinder counts GiB and people write TB: both are read with 1024, which the preview shows.
    Raises BadInput for anything else, and for zero.
    """
    found = _SIZE.fullmatch(str(text))
    if not found or float(found[1]) <= 0:
        fault = Fault(place, "bad_size", "{text!r} is not a size", {"text": text}, "write 500GiB or 1TiB")
        raise BadInput("a size cannot be read", faults=[fault])
    scale = 1024.0 ** (_EXPONENT[found[2].upper()] - 3)
    exact = float(found[1]) * scale
    return int(exact) if exact == int(exact) else int(exact) + 1
