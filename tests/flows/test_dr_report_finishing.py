"""At the end of a drill its report is made once, signed, on record, and taken home by whoever may see it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudctl import operations
from cloudctl.cli import exits
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import Done, Failed, Outcome
from cloudctl.models import AuditEvent, Drill, Failover, Operation, ProtectionPlan
from cloudctl.operations import Engine, Flow, Run
from cloudctl.secrets import Box, Signer
from dr.isolated import probe_script
from dr.keyring import Keyring
from dr.reports.finishing import Finishing, ReportedMove
from dr.reports.recovery_time import Span, measure
from dr.sentinels.moments import Moments
from dr.sentinels.writing import Writing
from provisioning.drivers.fake_application import FakeApplication
from tests.builders import a_province
from tests.command_line import CommandLine, a_server
from tests.recovery_rows import a_drill, a_plan

KEY = b"k" * 32


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@dataclass
class Ending:
    """A flow that does nothing but end as drills and moves do."""

    finish: Callable[[Run, int], None]

    def advance(self, run: Run) -> Outcome:
        self.finish(run, int(run.subject_id))
        self.finish(run, int(run.subject_id))  # as after a crash
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        return Failed(error)


def end(core: Core, kind: str, number: int, finish: Callable[[Run, int], None]) -> None:
    end_by(core, kind, number, Ending(finish))


def end_by(core: Core, kind: str, number: int, flow: Flow) -> None:
    with core.store.write() as uow:
        operation = operations.start(uow, core.clock, kind, (kind, number), None, 600).id
    assert Engine(core.store, core.clock, {kind: flow}).run(operation)
    with core.store.read() as uow:
        row = uow.need(Operation, operation)
        assert (row.state, row.error_message) == ("done", None)


@pytest.fixture
def signer(core: Core) -> Signer:
    a_province(core)
    return Signer.of(core.settings.keys / "points.key")


@pytest.fixture
def finishing(core: Core, signer: Signer) -> Finishing:
    return Finishing(core.settings, signer, core.audit)


@pytest.fixture
def cloudctl(core: Core, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    Box.make_key(core.settings.keys / "box.key")
    keyring = Keyring(signer, Box(core.settings.keys / "box.key"))
    with a_server(core, NoClouds(), lambda: keyring) as url:
        yield CommandLine(core, url, monkeypatch)


def acknowledged(core: Core) -> tuple[int, FakeApplication]:
    """A plan, and the application that has acknowledged six sentinels, one each ten seconds."""
    plan_id, application = a_plan(core), FakeApplication()
    moments = Moments(core.clock, "b", lambda: core.clock.now().timestamp())
    writing = Writing(core, lambda: application, lambda: KEY, moments)
    for second in range(6):
        writing.tick(20.0 * second)
        writing.settle()
        core.clock.advance(10)  # type: ignore[attr-defined]
    writing.close()
    return plan_id, application


def a_rehearsal(core: Core, lost: int = 2, **values: Any) -> int:
    """A drill at its end: the newest `lost` of the sentinels did not come back."""
    plan_id, application = acknowledged(core)
    fault_at = core.clock.now()
    application.lose(lost)
    saw = probe_script.summary(probe_script.sentinels(application.read("")))
    time = measure(
        [
            Span("restore", 0, 90),
            Span("boot", 90, 110),
            Span("app_ready", 110, 150),
            Span("verified", 150, 151),
        ]
    )
    seen = {
        "anchor": {"at": fault_at.isoformat(), "monotonic_s": 1.0, "boot": "b"},
        "is_one_clock": True,
        "times": {"precheck": 0.0, "cloned": 90.0, "verified": 151.0},
        "parts": {"web": {"progress": "answered", "begun_s": 90.0, "active_s": 110.0, "answered_s": 150.0}},
        "checks": {
            "sentinels://web1:80/notes@10.0.0.9": [True, saw],
            "tcp://web1:80@10.0.0.9": [True, "open"],
        },
        "isolation": {"tried": ["10.9.9.9"], "answered": {}, "ways_out": [], "rounds": 4},
        "read_at": (fault_at + timedelta(seconds=152)).isoformat(),
        "recovery_time": time.as_json(),
    }
    words = {
        "verdict": "passed",
        "rpo_s": 5.0,
        "rto_s": 151.0,
        "fault_at": fault_at,
        "seen": seen,
        "ended_at": fault_at + timedelta(seconds=170),
        "state": "cleaning",
    }
    return a_drill(core, plan_id, **{**words, **values})


def test_what_sentinels_show_becomes_the_figure_and_the_report_is_made_once(
    core: Core, finishing: Finishing
) -> None:
    drill_id = a_rehearsal(core)
    end(core, "drill", drill_id, finishing.finish)
    with core.store.read() as uow:
        row = uow.need(Drill, drill_id)
        events = uow.all(AuditEvent, AuditEvent.action == "dr.report")
    assert (row.verdict, row.rpo_s, row.rto_s) == ("passed", 30.0, 151.0)
    loss = row.report["loss"]
    assert (loss["acked"], loss["found"], loss["missing"], loss["holes"], loss["is_genuine"]) == (
        6,
        4,
        2,
        0,
        True,
    )
    assert row.report["rpo_by"] == "sentinels"
    assert [event.details["sha256"] for event in events] == [row.report_sha256]
    assert core.audit.verify(core.store).is_intact


def test_a_drill_that_lost_more_than_allowed_has_failed_after_all(core: Core, finishing: Finishing) -> None:
    drill_id = a_rehearsal(core, lost=5)
    with core.store.write() as uow:
        row = uow.need(Drill, drill_id)
        row.plan = {**row.plan, "rpo_s": 45}
    end(core, "drill", drill_id, finishing.finish)
    with core.store.read() as uow:
        row = uow.need(Drill, drill_id)
    assert (row.verdict, row.why) == ("failed", "RPO 60 s instead of 45 s")


def test_earlier_drills_count_in_the_statistics_and_failed_ones_as_never_recovered(
    core: Core, finishing: Finishing
) -> None:
    first = a_rehearsal(core)
    end(core, "drill", first, finishing.finish)
    with core.store.read() as uow:
        plan_id = uow.need(Drill, first).plan_id
        seen = uow.need(Drill, first).seen
    failed = measure([Span("restore", 0, 90)], until_s=600).as_json()
    second = a_drill(core, plan_id, verdict="failed", why="no answer", seen={**seen, "recovery_time": failed},
                     rpo_s=5.0, state="cleaning", fault_at=core.clock.now())  # fmt: skip
    end(core, "drill", second, finishing.finish)
    with core.store.read() as uow:
        told = uow.need(Drill, second).report["statistics"]["rto"]
        lost = uow.need(Drill, second).report["statistics"]["rpo"]
    assert lost["n"] == 2, "what this drill lost counts as well"
    assert (told["n"], told["failed"], told["within"], told["median_s"], told["max_s"]) == (
        2,
        1,
        1,
        151.0,
        None,
    )


_PASSED = {"name": "tcp://*:22", "is_passed": True}


def a_part(now: datetime) -> dict[str, Any]:
    """What a move has noted of a part that answered after 70 s."""
    times = {"begun_at": 0, "stood_at": 30, "done_at": 70}
    return {
        **{key: (now + timedelta(seconds=seconds)).isoformat() for key, seconds in times.items()},
        "saw": "", "checks": [{"name": "http://*:80/", "is_passed": True, "saw": "HTTP 200"}],
    }  # fmt: skip


def a_move(core: Core, plan_id: int, kind: str = "unplanned", state: str = "shifted") -> int:
    """A move that people asked for now, and that took 120 s."""
    now = core.clock.now()
    states = ("requested", "approved", "fenced", "promoted", "started", "validated", "shifted")
    times = {one: (now + timedelta(seconds=20 * index)).isoformat() for index, one in enumerate(states)}
    with core.store.write() as uow:
        plan = uow.need(ProtectionPlan, plan_id)
        row = Failover(plan_id=plan_id, plan_sha256=plan.sha256, plan=plan.document, kind=kind,
                       from_site_id=plan.home_site_id, to_site_id=plan.recovery_site_id, state=state,
                       owner="f1", times=times, rpo_s=40.0, rto_s=120.0, fence={"rung": "lease"},
                       made={"parts": {"app": a_part(now)}, "checks": [_PASSED]},
                       asked_at=now, asked_by="dora")  # fmt: skip
        return uow.add(row).id


def test_a_move_has_a_report_as_well(core: Core, finishing: Finishing) -> None:
    key = a_move(core, a_plan(core, sentinels=None))
    end(core, "failover", key, finishing.finish_failover)
    with core.store.read() as uow:
        report = uow.need(Failover, key).report
    assert (report["verdict"], report["rpo_s"], report["rto_s"]) == ("passed", 40.0, 120.0)
    told = {one["name"]: one["seconds"] for one in report["recovery_time"]["segments"]}
    assert told == {"detect": None, "decide": 20.0, "fence": 20.0, "restore": 20.0, "boot": 20.0,
                    "app_ready": 20.0, "traffic": 20.0, "verified": 0.0}  # fmt: skip
    assert report["parts"] == [{"name": "app", "state": "answered", "begun_s": 0.0, "active_s": 30.0,
                                "answered_s": 70.0, "why": ""}]  # fmt: skip
    assert [(one["name"], one["is_passed"]) for one in report["checks"]] == [
        ("app: http://*:80/", True), ("tcp://*:22", True),
    ]  # fmt: skip
    assert [one["at_s"] for one in report["timeline"]] == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]


@pytest.mark.parametrize(("kind", "lost", "rpo_s"), [("unplanned", 2, 20.0), ("planned", 0, 0.0)])
def test_after_a_move_sentinels_are_read_back_through_the_application(
    core: Core, signer: Signer, kind: str, lost: int, rpo_s: float
) -> None:
    plan_id, application = acknowledged(core)
    application.lose(lost)
    key = a_move(core, plan_id, kind)
    writing = Writing(core, lambda: application, lambda: KEY)
    core.clock.advance(60)  # type: ignore[attr-defined]
    writing.tick(1000.0)  # it goes on at the new site
    writing.settle()
    writing.close()
    finishing = Finishing(core.settings, signer, core.audit, lambda: application)
    end(core, "failover", key, finishing.finish_failover)
    with core.store.read() as uow:
        row = uow.need(Failover, key)
    found = {name: row.report["loss"][name] for name in ("acked", "found", "missing", "resurrected")}
    assert found == {"acked": 6, "found": 6 - lost, "missing": lost, "resurrected": 0}
    assert (row.rpo_s, row.report["rpo_by"]) == (rpo_s, "sentinels")
    [detect] = [one["seconds"] for one in row.report["recovery_time"]["segments"] if one["name"] == "detect"]
    is_unplanned = kind == "unplanned"
    assert detect == (10.0 if is_unplanned else None), "from the last answer until somebody asked"
    assert row.rto_s == row.report["rto_s"] == (130.0 if is_unplanned else 120.0)


def test_a_move_that_was_given_up_has_failed_and_asks_no_application(core: Core, signer: Signer) -> None:
    key = a_move(core, a_plan(core), state="aborted")
    finishing = Finishing(core.settings, signer, core.audit, lambda: FakeApplication(is_up=False))
    flow = ReportedMove(Ending(lambda _run, _key: None), finishing)
    end_by(core, "failover", key, flow)
    with core.store.read() as uow:
        row = uow.need(Failover, key)
    assert (row.report["verdict"], row.report["loss"]) == ("failed", None)


def test_reports_are_listed_shown_saved_and_checked_from_the_command_line(
    core: Core, finishing: Finishing, cloudctl: CommandLine, tmp_path: Path
) -> None:
    drill_id = a_rehearsal(core)
    assert cloudctl.rows("dr", "report", "list", user="dave") == []
    end(core, "drill", drill_id, finishing.finish)
    [row] = cloudctl.rows("dr", "report", "list", "--plan", "pay", user="dave")
    key = f"drill-{drill_id}"
    assert (row["id"], row["name"], row["state"], row["rpo_s"], row["left_behind"]) == (
        key,
        "pay",
        "passed",
        30.0,
        [],
    )
    shown = cloudctl("dr", "report", "show", key, user="dave")
    assert "fence: not exercised" in shown.out
    assert "passed tcp://web1:80" in shown.out
    whole = cloudctl.rows("dr", "report", "show", key, user="dave")
    assert {"verdict", "rpo_s", "rto_s", "checks", "timeline", "left_behind"} <= whole.keys()
    get = ("dr", "report", "get", key)
    for form in ("json", "html"):
        file = tmp_path / f"r.{form}"
        saved = cloudctl(*get, "--format", form, "--out", str(file), user="dave")
        assert (saved.code, saved.out.strip()) == (0, str(file)), saved.err
        checked = cloudctl.rows("dr", "report", "verify", str(file), user="dave")
        assert (checked["state"], checked["is_in_audit_chain"], checked["faults"]) == ("intact", True, [])
    assert "灾备演练报告" in (tmp_path / "r.html").read_text()
    told = json.loads((tmp_path / "r.json").read_text())
    told["report"]["rto_s"] = 1.0
    (tmp_path / "r.json").write_text(json.dumps(told))
    broken = cloudctl("dr", "report", "verify", str(tmp_path / "r.json"), "-f", "json", user="dave")
    assert broken.code == exits.FAILED
    assert {one["code"] for one in broken.json["faults"]} == {"changed", "bad_signature", "not_in_chain"}
    assert cloudctl("dr", "report", "show", "drill-999", user="dave").code == exits.NOT_FOUND
    (tmp_path / "x").write_text("nothing")
    assert cloudctl("dr", "report", "verify", str(tmp_path / "x"), user="dave").code == exits.USAGE
