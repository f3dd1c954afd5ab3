"""The making of a bulletin: asked once, made once, whatever dies on the way; refused where it must be."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudctl.actors import Actor, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, Misconfigured, NotAllowed, NotFound
from cloudctl.models import AuditEvent, Document, Notice, Operation, Step
from cloudctl.operations import Engine
from tenants.bulletin import reports
from tenants.bulletin.flow import MakeBulletin
from tenants.bulletin.pdf import STEPS
from tenants.bulletin.reports import Wish
from tenants.documents import open_document
from tenants.migration import snapshots
from tenants.settlement import settle
from tests.builders import a_person, an_actor
from tests.conftest import make_core
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.frozen_months import NOVEMBER, OCTOBER, two_months

NAMES = [f"上云情况通报-广西壮族自治区-2026年11月.{form}" for form in ("html", "pdf", "xlsx")]


@pytest.fixture
def frozen(core: Core, clock: FrozenClock) -> Core:
    two_months(core, clock)
    return core


def dave(core: Core) -> Actor:
    return an_actor(core, "dave")


def a_pdf(html: str, on_step: Callable[[int], None]) -> bytes:
    """What the other process does, in no time."""
    for step in range(1, STEPS + 1):
        on_step(step)
    return b"%PDF of " + html.encode()


def an_engine(core: Core, to_pdf: Any = a_pdf) -> Engine:
    return Engine(core.store, core.clock, {"bulletin": MakeBulletin(to_pdf)}, on_end=settle(core))


def operation(core: Core, operation_id: int) -> Operation:
    with core.store.read() as uow:
        return uow.need(Operation, operation_id)


def kept(core: Core) -> list[Document]:
    with core.store.read() as uow:
        return sorted(uow.all(Document), key=lambda one: one.name)


def assert_made(core: Core, operation_id: int) -> None:
    """All of it, once, and on record."""
    row = operation(core, operation_id)
    assert (row.state, row.progress_done) == ("done", row.progress_total), row.error_message
    files = kept(core)
    assert [one.name for one in files] == NAMES
    assert {one.operation_id for one in files} == {operation_id}
    assert {one.subject for one in files} == {f"{NOVEMBER}/division:450000"}
    html, pdf, xlsx = (one.content for one in files)
    assert pdf == b"%PDF of " + html
    assert xlsx.startswith(b"PK")
    with core.store.read() as uow:
        assert uow.count(AuditEvent, AuditEvent.action == "migration.report.made") == 1
        assert uow.count(Notice, Notice.user_id == "dave", Notice.subject_kind == "bulletin") == 1
        steps = uow.all(Step, Step.operation_id == operation_id, order_by=[Step.id])
    assert [(one.name, one.state) for one in steps] == [("html", "done"), ("xlsx", "done"), ("pdf", "done")]


def test_a_bulletin_is_made_in_steps_and_its_files_are_kept(frozen: Core) -> None:
    operation_id = reports.report(frozen, dave(frozen))
    before = reports.show_report(frozen, dave(frozen), operation_id)
    assert (before["state"], before["documents"]) == ("queued", [])
    assert an_engine(frozen).run(operation_id)
    assert_made(frozen, operation_id)
    row = reports.show_report(frozen, dave(frozen), operation_id)
    assert [one["format"] for one in row["documents"]] == ["html", "pdf", "xlsx"]
    assert row["name"] == "广西壮族自治区 2026-11"
    assert (row["month"], row["scope"]) == (NOVEMBER, "division:450000")


def test_progress_moves_with_each_step_of_the_pdf(frozen: Core) -> None:
    seen: list[int] = []

    def watched(html: str, on_step: Callable[[int], None]) -> bytes:
        for step in range(1, STEPS + 1):
            on_step(step)
            seen.append(operation(frozen, operation_id).progress_done)
        return b"%PDF"

    operation_id = reports.report(frozen, dave(frozen))
    an_engine(frozen, watched).run(operation_id)
    assert seen == list(range(2, 2 + STEPS))
    assert operation(frozen, operation_id).progress_total == 2 + STEPS


def test_asked_again_for_the_same_figures_it_is_the_same_bulletin(frozen: Core) -> None:
    first = reports.report(frozen, dave(frozen), NOVEMBER, "division:450000")
    assert reports.report(frozen, dave(frozen)) == first
    an_engine(frozen).run(first)
    assert reports.report(frozen, dave(frozen)) == first
    assert reports.report(frozen, dave(frozen), wish=Wish(formats=("pdf",))) == first
    assert_made(frozen, first)
    with frozen.store.read() as uow:
        assert uow.count(AuditEvent, AuditEvent.action == "migration.report") == 1


def test_other_figures_another_language_or_issuer_are_another_bulletin(frozen: Core) -> None:
    asked = [
        reports.report(frozen, dave(frozen)),
        reports.report(frozen, dave(frozen), OCTOBER),
        reports.report(frozen, dave(frozen), NOVEMBER, "division:450200"),
        reports.report(frozen, dave(frozen), wish=Wish(language="en")),
        reports.report(frozen, dave(frozen), wish=Wish(issuer="广西壮族自治区大数据发展局")),
    ]
    snapshots.take(frozen, dave(frozen), NOVEMBER, reason="更正")
    asked.append(reports.report(frozen, dave(frozen)))
    assert len(set(asked)) == 6
    listed = reports.list_reports(frozen, dave(frozen), NOVEMBER, "division:450000")
    assert [row["id"] for row in listed] == sorted((asked[i] for i in (0, 3, 4, 5)), reverse=True)


def test_only_the_formats_that_were_asked_for_are_made_beside_the_page(frozen: Core) -> None:
    operation_id = reports.report(frozen, dave(frozen), wish=Wish(formats=("xlsx",)))
    an_engine(frozen, to_pdf=None).run(operation_id)
    assert [one.name for one in kept(frozen)] == [NAMES[0], NAMES[2]]
    assert reports.report(frozen, dave(frozen)) != operation_id  # that one has no PDF


@pytest.mark.postgres
def test_many_who_ask_at_once_get_one_bulletin_on_postgresql(
    tmp_path: Path, clock: FrozenClock, postgres_url: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    core = make_core(home, postgres_url, clock)
    two_months(core, clock)
    actor = dave(core)
    with ThreadPoolExecutor(6) as pool:
        asked = set(pool.map(lambda _n: reports.report(core, actor), range(6)))
    assert len(asked) == 1
    [operation_id] = asked
    an_engine(core).run(operation_id)
    assert_made(core, operation_id)
    core.store.close()


# -- when something dies or fails


def _tell(home: Path, at: int) -> Executioner:
    """The first worker dies at point `at` (0: never), the second finishes."""
    clock = FrozenClock()
    home.mkdir()
    core = make_core(home, clock=clock)
    two_months(core, clock)
    operation_id = reports.report(core, dave(core))
    executioner = Executioner(at)
    mortal = MortalStore(core.settings.database_url, executioner)
    try:
        an_engine(replace(core, store=mortal)).run(operation_id)
    except Killed:
        pass
    finally:
        mortal.close()
    if operation(core, operation_id).ended_at is None:
        clock.advance(31)
        assert an_engine(core).run(operation_id)
    assert_made(core, operation_id)
    core.store.close()
    return executioner


def test_a_death_at_every_commit_makes_nothing_twice_and_leaves_nothing_out(tmp_path: Path) -> None:
    points = len(_tell(tmp_path / "alive", 0).points)
    assert points > 2 * STEPS
    for at in range(1, points + 1):
        _tell(tmp_path / f"home-{at}", at)


def test_what_cannot_be_made_is_not_left_in_part_and_says_why(frozen: Core) -> None:
    def without_font(_html: str, on_step: Callable[[int], None]) -> bytes:
        on_step(1)
        raise Misconfigured("no Chinese font is installed, and a PDF would show boxes")

    operation_id = reports.report(frozen, dave(frozen))
    an_engine(frozen, without_font).run(operation_id)
    row = reports.show_report(frozen, dave(frozen), operation_id)
    assert (row["state"], row["error_code"], row["documents"]) == ("failed", "misconfigured", [])
    assert kept(frozen) == []
    with frozen.store.read() as uow:
        [notice] = uow.all(Notice, Notice.user_id == "dave", Notice.subject_kind == "bulletin")
    assert "no Chinese font" in notice.params["error"]
    again = reports.report(frozen, dave(frozen))
    assert again != operation_id
    an_engine(frozen).run(again)
    assert_made_again(frozen, again)


def assert_made_again(core: Core, operation_id: int) -> None:
    assert operation(core, operation_id).state == "done"
    assert [one.name for one in kept(core)] == NAMES


def test_a_worker_that_lost_its_lease_keeps_nothing(frozen: Core, clock: FrozenClock) -> None:
    operation_id = reports.report(frozen, dave(frozen))

    def slow(html: str, on_step: Callable[[int], None]) -> bytes:
        clock.advance(31)
        assert an_engine(frozen).run(operation_id)  # another took its place meanwhile
        return a_pdf(html, on_step)

    an_engine(frozen, slow).run(operation_id)
    assert_made(frozen, operation_id)


# -- who may, and what is refused


def test_the_province_is_reported_by_who_counts_and_a_city_by_its_own_people_too(frozen: Core) -> None:
    reviewer = a_person(frozen, "liu", Role.DIVISION_REVIEWER, ("division", "450200"))
    assert reports.report(frozen, reviewer, NOVEMBER, "division:450200")
    for scope in ("division:450000", "division:450100"):
        with pytest.raises(NotAllowed):
            reports.report(frozen, reviewer, NOVEMBER, scope)
    for who in ("alice", "carol", "ivan", "sam"):
        with pytest.raises(NotAllowed):
            reports.report(frozen, an_actor(frozen, who), NOVEMBER, "division:450200")
    assert [one["name"] for one in reports.places_for(frozen, reviewer)] == ["柳州市"]
    assert [one["name"] for one in reports.places_for(frozen, dave(frozen))] == [
        "广西壮族自治区",
        "南宁市",
        "柳州市",
    ]
    assert reports.places_for(frozen, an_actor(frozen, "alice")) == []


def test_everybody_who_sees_figures_reads_a_bulletin_and_nobody_else(frozen: Core) -> None:
    operation_id = reports.report(frozen, dave(frozen))
    an_engine(frozen).run(operation_id)
    key = kept(frozen)[0].id
    for who in ("alice", "frank", "ivan"):
        assert reports.list_reports(frozen, an_actor(frozen, who))[0]["id"] == operation_id
        assert open_document(frozen, an_actor(frozen, who), key).media_type == "text/html"
    with pytest.raises(NotAllowed):
        reports.list_reports(frozen, an_actor(frozen, "sam"))
    with pytest.raises(NotFound):
        open_document(frozen, an_actor(frozen, "sam"), key)


def test_a_month_that_is_not_frozen_starts_nothing(frozen: Core) -> None:
    with pytest.raises(NotFound, match="2026-09 is not frozen"):
        reports.report(frozen, dave(frozen), "2026-09")
    with frozen.store.read() as uow:
        assert uow.count(Operation) == 0


def test_everything_wrong_with_a_wish_is_said_at_once(frozen: Core) -> None:
    wish = Wish(language="fr", formats=("pdf", "doc"), issuer="局\n")
    with pytest.raises(BadInput) as caught:
        reports.report(frozen, dave(frozen), wish=wish)
    assert [fault.place for fault in caught.value.faults] == ["formats", "language", "issuer"]


def test_a_number_that_is_no_bulletin_is_not_found(frozen: Core) -> None:
    with pytest.raises(CloudctlError, match="bulletin '7' does not exist"):
        reports.show_report(frozen, dave(frozen), 7)
