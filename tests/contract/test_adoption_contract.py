"""What every Cloud does about images that its storage has already, in memory and on the lab."""

import uuid

from cloudctl.errors import CloudBusy
from cloudctl.ports import NewAdoption, Volume
from provisioning.drivers.fake_storage import image_of
from tests.contract.workbench import Bench

TYPE = "standard"


def adoption(bench: Bench, name: str, image: str) -> NewAdoption:
    return NewAdoption(f"{name}-{bench.run}", image, TYPE, bench.tags(), is_bootable=True)


def released(bench: Bench, name: str) -> Volume:
    """A volume that was let go: its image is nobody's."""
    made = bench.inside.create_volume(bench.new_volume(name))
    bench.volume(made.id, "available")
    bench.inside.release_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)
    return made


def test_a_volume_that_was_released_is_adopted_again_with_its_size_and_its_tags(bench: Bench) -> None:
    first = released(bench, "released")
    new = adoption(bench, "adopted", image_of(first.id))
    second = bench.inside.adopt_volume(new)
    assert second.id != first.id
    found = bench.volume(second.id, "available")
    assert (found.name, found.size_gib, found.type) == (new.name, first.size_gib, TYPE)
    assert set(new.tags.items()) <= set(found.tags.items())
    assert found.project_id == bench.project_id
    bench.inside.delete_volume(second.id)
    bench.gone(bench.inside.list_volumes, second.id)


def test_an_image_that_is_not_there_shows_as_an_error_and_the_row_can_go(bench: Bench) -> None:
    made = bench.inside.adopt_volume(adoption(bench, "nothing", f"volume-{uuid.uuid4()}"))
    bench.volume(made.id, "error_managing", "error")  # by what the scheduler or the service refuses
    bench.inside.delete_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)


def test_releasing_is_repeatable_and_waits_for_a_volume_that_is_being_made(bench: Bench) -> None:
    made = bench.inside.create_volume(bench.new_volume("young", image="debian-12"))
    try:
        bench.inside.release_volume(made.id)
    except CloudBusy:
        bench.volume(made.id, "available")
        bench.inside.release_volume(made.id)
    bench.gone(bench.inside.list_volumes, made.id)
    bench.inside.release_volume(made.id)
