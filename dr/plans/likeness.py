"""Whether a system still looks as it was told last, by a recovery point or a move. Pure.

Replicated volumes are found by what the point says of the servers: a volume that was attached since would
stay behind without a word, and one that was taken away would be looked for in vain.
"""

from collections.abc import Iterator, Sequence

from cloudctl.errors import Fault
from dr.plans.document import Part, Way
from dr.plans.known import Portrait, ServerFacts, bare


def faults(
    system: str, parts: Sequence[Part], portrait: Portrait | None, servers: Sequence[ServerFacts]
) -> list[Fault]:
    """Everything by which the replicated parts differ from the portrait; [] when nothing is replicated."""
    replicated = [part for part in parts if part.way is Way.REPLICATION]
    if not replicated:
        return []
    if portrait is None:
        template = "no recovery point tells what {system} consists of"
        hint = "take one: cloudctl backup run --system {system}"
        return [Fault("point", "no_point", template, {"system": system}, hint)]
    return [one for part in replicated for one in _of_part(system, part, portrait, servers)]


def _of_part(
    system: str, part: Part, portrait: Portrait, servers: Sequence[ServerFacts]
) -> Iterator[Fault]:  # fmt: skip
    hint = "take a point: cloudctl backup run --system {system}"
    for name in part.servers:
        told = portrait.volumes_of(name)
        now = next((one for one in servers if is_called(one.name, one.label, name)), None)
        if told is None or now is None:
            continue  # a server that is missing is told of by whoever draws the plan
        volumes = {one.external_id: one.name for one in now.volumes}
        if changed := sorted([*(volumes[one] for one in volumes.keys() - told), *(told - volumes.keys())]):
            template = "'{name}' has other volumes now than when it was described last: {volumes}"
            params = {"name": name, "volumes": ", ".join(changed), "system": system}
            yield Fault(f"parts.{part.name}", "volumes_changed", template, params, hint)


def is_called(name: str, label: object, wanted: str) -> bool:
    """Whether a plan means the server of that name and label: restores put something behind names."""
    return bare(name) == bare(wanted) or label == wanted
