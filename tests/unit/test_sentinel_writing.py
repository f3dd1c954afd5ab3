"""Sentinels are written at their pace, and what was acknowledged is on the disk before it counts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl.core import Core
from cloudctl.models import ProtectionPlan
from cloudctl.worker import PACE_S
from dr.plans.document import Sentinels
from dr.sentinels import answers, journal, pace
from dr.sentinels.journal import Journal
from dr.sentinels.moments import Moments, boot_id, clock_error_s
from dr.sentinels.writing import Writing
from provisioning.drivers.fake_application import FakeApplication
from tests.builders import a_province
from tests.recovery_rows import a_drill, a_plan

KEY = b"k" * 32


@pytest.fixture
def application() -> FakeApplication:
    return FakeApplication()


@pytest.fixture
def writing(core: Core, application: FakeApplication) -> Iterator[Writing]:
    a_province(core)
    made = Writing(core, lambda: application, lambda: KEY)
    yield made
    made.close()


def known(core: Core, plan: str = "pay") -> list[tuple[int, bool]]:
    return [(one.seq, one.acked is not None) for one in journal.read(core.settings.sentinels, plan)]


def ticks(writing: Writing, *seconds: float) -> int:
    begun = 0
    for second in seconds:
        begun += writing.tick(second)
        writing.settle()
    return begun


def test_a_plan_has_its_pace_at_rest_and_a_second_while_it_is_rehearsed(
    core: Core, writing: Writing, application: FakeApplication
) -> None:
    plan_id = a_plan(core)
    assert ticks(writing, 0, 1, 5, 9.9, 10, 19, 20.1) == 3
    a_drill(core, plan_id)
    assert ticks(writing, 23, 24, 25, 25.5, 26) == 4
    assert known(core) == [(number, True) for number in range(1, 8)]
    assert answers.of_answer(application.read("")).count == 7
    assert pace.every_s(Sentinels("", "", every_s=0.2), is_moving=True) == 0.2
    assert pace.FAST_S + PACE_S <= 1.0


def test_what_was_missed_is_not_made_up_for(core: Core, writing: Writing) -> None:
    a_plan(core)
    assert ticks(writing, 0, 1000, 1000.5, 1001) == 2


def test_what_the_application_never_answered_is_not_acknowledged(
    core: Core, writing: Writing, application: FakeApplication
) -> None:
    a_plan(core)
    application.is_deaf = True  # it has it, and its answer is lost
    ticks(writing, 0)
    application.is_deaf, application.is_up = False, False
    ticks(writing, 10)
    application.is_up = True
    ticks(writing, 20)
    assert known(core) == [(1, False), (2, False), (3, True)]


def test_after_a_crash_no_number_is_used_twice(core: Core, writing: Writing) -> None:
    a_plan(core)
    ticks(writing, 0, 10)
    writing.close()
    path = journal.path_of(core.settings.sentinels, "pay")
    with path.open("ab") as file:
        file.write(b'{"what":"sent","seq":3,"writer":"' + b"x")  # cut off in the middle of a line
    again = Journal(core.settings.sentinels, "pay")
    made = again.begin(Moments(core.clock).now(), KEY)
    again.close()
    assert made.seq == 3
    assert made.is_genuine(KEY)
    assert known(core) == [(1, True), (2, True), (3, False)]
    writers = {one.writer for one in journal.read(core.settings.sentinels, "pay")}
    assert writers == {made.writer}


def test_of_two_processes_one_writes(core: Core, writing: Writing) -> None:
    a_plan(core)
    ticks(writing, 0)
    other = Writing(core, FakeApplication, lambda: KEY)
    assert ticks(other, 0, 100) == 0
    other.close()


def test_plans_without_sentinels_or_not_in_use_have_no_journal(core: Core, writing: Writing) -> None:
    a_plan(core, "silent", None)
    plan_id = a_plan(core, "draft")
    with core.store.write() as uow:
        uow.update(ProtectionPlan, ProtectionPlan.id == plan_id, state="draft")
    assert ticks(writing, 0, 10) == 0
    assert not core.settings.sentinels.exists()


def test_a_copy_at_a_third_place_knows_what_was_acknowledged_when_the_home_is_gone(
    core: Core, writing: Writing, tmp_path: Path
) -> None:
    a_plan(core)
    ticks(writing, 0, 10)
    own = journal.path_of(core.settings.sentinels, "pay")
    assert journal.copy(own, tmp_path / "third", "w1") == own.stat().st_size
    assert journal.copy(own, tmp_path / "third", "w1") == 0
    ticks(writing, 20)
    journal.copy(own, tmp_path / "third", "w1")
    whole = journal.read(core.settings.sentinels, "pay")
    assert journal.read(tmp_path / "elsewhere", "pay", tmp_path / "third") == whole
    assert journal.read(core.settings.sentinels, "pay", tmp_path / "third") == whole  # nothing counts twice


def test_only_the_owner_reads_a_journal(core: Core, writing: Writing) -> None:
    a_plan(core)
    ticks(writing, 0)
    path = journal.path_of(core.settings.sentinels, "pay")
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text().splitlines()[0])["what"] == "log"


def test_the_system_says_what_boot_it_is_and_how_far_its_clock_may_be_off() -> None:
    assert boot_id()
    assert 0 <= clock_error_s() <= 16
