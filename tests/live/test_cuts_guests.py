"""Two writers never, on the lab with real guests: the three places with what may break between them.

Some fifteen minutes, since the processor of a guest is emulated. `pytest -s` prints the table.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import openstack
import pytest

from lab import Lab
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import read_witness
from tests.cut_cases import NEW, OLD
from tests.live.guest import Guest, a_guest
from tests.live.guest_cuts import BREAKS, LEASE_S, Break, Listener, Pair, join_all, run

pytestmark = [pytest.mark.lab, pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    place, home = tmp_path_factory.mktemp("cuts"), Path(os.environ["CLOUDCTL_HOME"]) / "lab"
    join_all()  # what a run that was killed has left
    Lab(home).up(lambda _line: None, with_extras=["witness"])
    told = read_witness(home / "witness.yaml")
    config = openstack.config.OpenStackConfig(config_files=[str(home / "clouds.yaml")], load_envvars=False)
    with ExitStack() as undo:
        guests: dict[str, Guest] = {}
        made = Pair(guests, told, EtcdWitness(told), f"live-{uuid4().hex[:8]}")
        undo.callback(_dismiss, made)  # once the guests are gone, whose agents would come back
        for site in (OLD, NEW):
            cloud = openstack.connection.Connection(config=config.get_one(site))
            undo.enter_context(contextlib.closing(cloud))
            guests[site] = undo.enter_context(a_guest(cloud, place))
        made.bring(place)
        for site, guest in guests.items():
            console = home / "sites" / site / "data/nova/instances" / guest.server.id / "console.log"
            made.listeners[site] = Listener(console)
            undo.callback(made.listeners[site].end)
        undo.callback(join_all)
        yield made


def _dismiss(pair: Pair) -> None:
    for site, guest in pair.guests.items():
        pair.witness.dismiss(pair.name, site, guest.server.name)


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_two_sites_never_write_at_once(pair: Pair, one: Break) -> None:
    outcome = run(pair, one)
    print(
        f"{outcome.name}: both {outcome.overlap_s:.1f} s, none {outcome.silence_s:.1f} s, "
        f"by {outcome.proof or 'nothing'}"
    )
    assert (outcome.overlap_s, outcome.late) == (0, 0)
    assert outcome.moved == one.can_move
    assert outcome.silence_s < 4 * LEASE_S
