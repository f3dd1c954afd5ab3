"""The world that builds of one project start from."""

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from tests.flows.building import World, a_world


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> World:
    return a_world(core, clock)
