"""What happens beside a build, right after one of its calls, and what a build undone looks like."""

import threading
from collections.abc import Callable

from cloudctl.errors import (
    CloudUnavailable,
)
from cloudctl.models import Step
from tests.flows.building import World

BROKEN_GATEWAY = CloudUnavailable("502", cloud_request_id="req-502")


def after_first(world: World, name: str, act: Callable[[], None]) -> None:
    """`act` happens right after the first call of that name."""
    done = threading.Event()

    def hook(call: object) -> None:
        if getattr(call, "name", "") == name and not done.is_set():
            done.set()
            act()

    world.cloud.state.after = hook


def steps(world: World, operation_id: int) -> dict[str, str]:
    with world.core.store.read() as uow:
        return {step.name: step.state for step in uow.all(Step, Step.operation_id == operation_id)}


def assert_undone(world: World, request_id: int, operation_id: int, code: str) -> None:
    operation = world.operation(operation_id)
    assert (operation.state, operation.error_code) == ("failed", code)
    assert world.is_bare(), world.things()
    assert world.states(request_id) <= {"released"}
