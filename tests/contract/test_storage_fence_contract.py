"""The storage as a drill sees it keeps the contract for its own names, and changes nothing else."""

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.errors import Fenced
from cloudctl.ports import Replication
from dr.drills.fenced_storage import fenced_storage
from provisioning.drivers.fake_replication import FakeReplication

HOME, OTHER, VOLUME = "province", "city-1", "vol-1"
PREFIX = "drill-contract-7-"
READING = {"sites", "replicas", "marked"}
CHANGES = sorted(name for name in vars(Replication) if not name.startswith("_") and name not in READING)


@pytest.fixture
def storage() -> FakeReplication:
    made = FakeReplication()
    made.storage.make(HOME, VOLUME, b"production")
    return made


def test_a_drill_makes_its_copy_and_takes_it_away(storage: FakeReplication) -> None:
    mine, image = fenced_storage(storage, PREFIX), f"{PREFIX}copy"
    mine.moment(HOME, VOLUME, f"{PREFIX}moment")
    for _ in range(3):
        storage.storage.arrive(OTHER)
    mine.copy_for_drill(OTHER, VOLUME, f"{PREFIX}moment", image)
    assert storage.storage.read(OTHER, image) == b"production"
    mine.drop_copy(OTHER, image)
    mine.drop_moment(HOME, VOLUME, f"{PREFIX}moment")
    assert image not in storage.storage.images[OTHER]
    [one] = mine.replicas(OTHER, (VOLUME,))
    assert one.id == str(storage.replicas(OTHER, (VOLUME,))[0].id)
    assert mine.marked(OTHER, VOLUME) == ""


@given(
    name=st.sampled_from(CHANGES),
    words=st.lists(
        st.sampled_from([VOLUME, "volume-vol-1", "drill-contract-71-copy", "drill-contract-", "kept", ""]),
        min_size=3, max_size=3,
    ),
)  # fmt: skip
def test_whatever_is_not_its_own_is_refused_and_nothing_is_asked_of_the_storage(
    name: str, words: list[str]
) -> None:
    storage = FakeReplication()
    storage.storage.make(HOME, VOLUME, b"production")
    before = {site: dict(images) for site, images in storage.storage.images.items()}
    call: Any = getattr(fenced_storage(storage, PREFIX), name)
    with pytest.raises(Fenced):
        call(HOME, *words[: len(inspect.signature(getattr(Replication, name)).parameters) - 2])
    assert storage.calls == []
    assert storage.storage.images == before
