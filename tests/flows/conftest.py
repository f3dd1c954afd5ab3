"""The world that builds of one project start from."""

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from provisioning.drivers.fake_chunks import Layout
from tests.flows.building import World, a_world


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> World:
    return a_world(core, clock)


@pytest.fixture
def small_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GiB has as many bytes as on the fake cloud."""
    monkeypatch.setattr("dr.drafting.GIB", Layout().gib_bytes)
