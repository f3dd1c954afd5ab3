"""What `up` does for the extras of a lab, and after which other steps."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from lab import mirroring, nameserver, namespaces, witness
from lab.daemons import Daemons
from lab.layout import Layout
from lab.sites import Site
from lab.steps import Step

#: Makes the steps at the places that are brought up.
Steps = Callable[[Layout, Sequence[Site]], list[Step]]


def steps(layout: Layout, places: Sequence[Site], names: Collection[str]) -> list[Step]:
    """The steps of these extras, and the cable of each place that is no cloud."""
    return [
        *(step for place in places if not place.is_cloud for step in _place(layout, place)),
        *(step for name, make in STEPS.items() if name in names for step in make(layout, places)),
    ]


def _place(layout: Layout, place: Site) -> list[Step]:
    """A place without a cloud: its directories and its network, as a site has them."""

    def cable() -> None:
        layout.site(place).make()
        namespaces.create(place, layout.site(place).setup_log)

    return [Step(f"{place.name}/cable", cable, ("packages",))]


def _witness(layout: Layout, places: Sequence[Site]) -> list[Step]:
    """A member at each of three places, and then the answer of all of them together."""
    at = [place for place in places if witness.has_member(place)]

    def start(place: Site) -> None:
        witness.prepare(layout, place)
        Daemons(layout, place).start(witness.SERVICE)

    papers = Step("witness/papers", partial(witness.create_papers, layout), ("packages",))
    members = [
        Step(f"{place.name}/witness", partial(start, place), (f"{place.name}/cable", "witness/papers"))
        for place in at
    ]
    ready = Step("witness", partial(witness.wait_until_ready, layout), tuple(step.name for step in members))
    return [papers, *members, ready] if at else []


def _replication(layout: Layout, places: Sequence[Site]) -> list[Step]:
    """A daemon at each of two sites; they are made known to each other where both are brought up."""
    at = [place for place in places if mirroring.is_partner(place)]

    def start(place: Site) -> None:
        mirroring.create_pool(layout, place)
        Daemons(layout, place).start(mirroring.SERVICE)

    def name(place: Site, what: str = "replication") -> str:
        return f"{place.name}/{what}"

    steps = [
        step
        for place in at
        for step in (
            Step(name(place), partial(start, place), (name(place, "storage"),)),
            Step(
                name(place, "replicated-types"), partial(mirroring.create_types, layout, place),
                (name(place, "control"),),
            ),
        )
    ]  # fmt: skip
    if len(at) == 2:
        steps.append(Step("replication/pair", partial(mirroring.pair, layout), tuple(map(name, at))))
        steps.append(Step("replication/publish", partial(mirroring.publish, layout), ("replication/pair",)))
        steps.extend(
            Step(
                name(place, "replicating"), partial(mirroring.wait_until_ready, layout, place),
                ("replication/pair",),
            )
            for place in at
        )  # fmt: skip
    return steps


def _dns(layout: Layout, places: Sequence[Site]) -> list[Step]:
    """The name server at the third place."""

    def start(place: Site) -> None:
        nameserver.create(layout)
        Daemons(layout, place).start(nameserver.SERVICE)

    return [
        Step(f"{place.name}/names", partial(start, place), (f"{place.name}/cable",))
        for place in places
        if nameserver.services(layout, place)
    ]


STEPS: Mapping[str, Steps] = {"witness": _witness, "dns": _dns, "replication": _replication}
