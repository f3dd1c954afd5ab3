"""Faults of a backup on the lab's real clouds: its worker is killed, the vault's site is cut off."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudctl.clock import SystemClock
from lab import Lab
from tests.flows.building import a_vm_draft
from tests.live.building import LEASE_S
from tests.live.protecting import CITY, GuardedWorld, a_guarded_world

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

DRAFT: dict[str, Any] = {**a_vm_draft(1, (1,)), "flavor": "gov.micro", "boot_gib": 1}
HOUR = timedelta(hours=1)
_PAUSE = threading.Event()  # never set: what the clouds need passes by itself


class LateClock(SystemClock):
    """Real time passes, and hours of it at once when a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def ticks(self) -> float:
        return super().ticks() + self.ahead.total_seconds()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GuardedWorld]:
    """A delivered server with two volumes of 1 GiB, and a policy for it."""
    made = a_guarded_world(tmp_path / "home")
    try:
        made.work(made.request(DRAFT)[1])
        yield made
    finally:
        made.clean()
        made.core.store.close()


@pytest.mark.soak  # a minute and more; on the fake a worker dies at every point of the flow
def test_workers_killed_in_the_middle_of_a_backup_leave_one_whole_point(world: GuardedWorld) -> None:
    point_id, moments, deaths = world.begin(), random.Random(), []
    operation_id = world.operation_of(point_id)
    for step in ("read", "copy", "check"):
        worker = world.worker(operation_id)
        while worker.poll() is None and world.operation(operation_id).step != step:
            _PAUSE.wait(0.05)
        _PAUSE.wait(moments.uniform(0.0, 1.5))
        if worker.poll() is None:
            deaths.append(world.operation(operation_id).step)
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert world.worker(operation_id).wait(300) == 0
    print(f"workers killed in {deaths}, lease {LEASE_S} s")
    assert len(deaths) >= 2
    point = world.point(point_id)
    assert (point.state, point.level) == ("protected", "L1"), world.operation(operation_id).error_message
    assert world.copy(point_id).state == "sealed"
    assert len(world.heads()) == 1
    world.assert_nothing_over()


@pytest.mark.soak  # more than a minute, and the vault on the fake is cut off in every run
def test_a_site_cut_off_for_an_hour_gets_its_copy_when_it_is_joined(world: GuardedWorld) -> None:
    lab, clock = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab"), LateClock()
    late = replace(world, core=replace(world.core, clock=clock))
    point_id = late.begin()
    operation_id, engine, is_cut = late.operation_of(point_id), late.engine(), threading.Event()

    def cut_while_it_copies() -> None:
        while late.copy(point_id).state == "pending":
            _PAUSE.wait(0.05)
        lab.site_cut(CITY)
        is_cut.set()

    watcher = threading.Thread(target=cut_while_it_copies, daemon=True)
    watcher.start()
    try:
        while not is_cut.is_set():
            if not engine.run(operation_id):
                is_cut.wait(0.2)
        began = clock.now()
        while clock.now() - began < HOUR:
            engine.run(operation_id)
            assert late.copy(point_id).state == "copying"
            clock.ahead += timedelta(minutes=20)
    finally:
        lab.site_join(CITY)
    late.work(operation_id)
    assert late.point(point_id).state == "protected", late.operation(operation_id).error_message
    assert late.copy(point_id).state == "sealed"
    late.assert_nothing_over()
