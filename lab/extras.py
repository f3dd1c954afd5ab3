"""What a lab has beside its clouds when it is asked for (`up --with NAME`): names, packages, places, daemons.

An extra stays until the lab is destroyed. To add one: its daemons and packages here, its steps in
lab/extra_steps.py.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab import mirroring, nameserver, witness
from lab.layout import Layout
from lab.services import Service, services
from lab.sites import THIRD, Site


def _none(layout: Layout, plan: Site) -> tuple[Service, ...]:
    return ()


@dataclass(frozen=True)
class Extra:
    """One of them; `services` says which daemons it has at a place, most often none."""

    packages: tuple[str, ...] = ()
    needs_third: bool = False
    services: Callable[[Layout, Site], tuple[Service, ...]] = _none


EXTRAS: Mapping[str, Extra] = {
    "witness": Extra(witness.PACKAGES, needs_third=True, services=witness.services),
    "dns": Extra(nameserver.PACKAGES, needs_third=True, services=nameserver.services),
    "replication": Extra(mirroring.PACKAGES, services=mirroring.services),
}


def chosen(layout: Layout) -> tuple[str, ...]:
    """The extras of this lab, in their order here."""
    try:
        named = layout.extras_mark.read_text().split()
    except FileNotFoundError:
        return ()
    return tuple(name for name in EXTRAS if name in named)


def choose(layout: Layout, names: Iterable[str]) -> None:
    """Adds to the extras of this lab, for every later command."""
    wanted = sorted({*chosen(layout), *names})
    if wanted:
        layout.home.mkdir(parents=True, exist_ok=True)
        layout.extras_mark.write_text("".join(f"{name}\n" for name in wanted))


def packages(names: Collection[str]) -> list[str]:
    """The Debian packages of these extras."""
    return [package for name in EXTRAS if name in names for package in EXTRAS[name].packages]


def places(names: Collection[str], sites: Sequence[Site]) -> tuple[Site, ...]:
    """The sites, and the third place where one of these extras needs it."""
    return (*sites, THIRD) if any(EXTRAS[name].needs_third for name in names) else tuple(sites)


def daemons_at(layout: Layout, plan: Site) -> tuple[Service, ...]:
    """Every daemon of a place in the order in which they start: of its cloud, if it is one, and of extras."""
    cloud = services(layout, plan) if plan.is_cloud else ()
    return (*cloud, *(one for name in chosen(layout) for one in EXTRAS[name].services(layout, plan)))
