"""`cloudctl migration report`: waits with a bar, saves the files under their Chinese names."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.cli import exits, following
from cloudctl.cli.exits import Complaint
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Misconfigured
from cloudctl.operations import Engine
from tenants.bulletin.flow import MakeBulletin
from tenants.settlement import settle
from tests.command_line import CommandLine, a_server
from tests.frozen_months import NOVEMBER, two_months
from tests.unit.test_cli_contract import NoClouds


@pytest.fixture
def cloudctl(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    two_months(core, clock)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def work(core: Core, to_pdf: Any = lambda _html, _on_step: b"%PDF") -> None:
    engine = Engine(core.store, core.clock, {"bulletin": MakeBulletin(to_pdf)}, on_end=settle(core))
    for operation_id in engine.due():
        engine.run(operation_id)


def test_the_files_are_saved_under_their_chinese_names(cloudctl: CommandLine, tmp_path: Path) -> None:
    asked = cloudctl.rows("migration", "report", "--month", NOVEMBER, user="dave")
    assert asked["state"] == "queued"
    work(cloudctl.core)
    made = cloudctl.rows("migration", "report", "--out", str(tmp_path / "new"), user="dave")
    assert made["id"] == asked["id"]
    saved = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert saved == [f"上云情况通报-广西壮族自治区-2026年11月.{form}" for form in ("html", "pdf", "xlsx")]
    assert (tmp_path / "new" / saved[1]).read_bytes() == b"%PDF"
    assert sorted(made["saved"]) == [str(tmp_path / "new" / name) for name in saved]


def test_only_what_is_asked_for_is_saved_and_names_of_cities_are_fine(
    cloudctl: CommandLine, tmp_path: Path
) -> None:
    city = ("migration", "report", "--scope", "division:柳州市", "--only", "pdf", "--language", "en")
    cloudctl.rows(*city, user="dave")
    work(cloudctl.core)
    cloudctl.rows(*city, "--out", str(tmp_path), user="dave")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bulletin-450200-2026-11.pdf"]


def test_the_list_says_how_far_each_is(cloudctl: CommandLine) -> None:
    cloudctl.rows("migration", "report", user="dave")
    work(cloudctl.core)
    [row] = cloudctl.rows("migration", "report", "list", "--month", NOVEMBER, user="alice")
    assert (row["state"], row["progress_done"], row["progress_total"]) == ("done", 9, 9)
    assert cloudctl.rows("migration", "report", "list", "--month", "2026-09", user="alice") == []


def test_a_bulletin_that_failed_ends_with_one_and_says_why(cloudctl: CommandLine) -> None:
    def without_font(_html: str, _on_step: object) -> bytes:
        raise Misconfigured("no Chinese font is installed, and a PDF would show boxes")

    asked = cloudctl.rows("migration", "report", user="dave")
    with cloudctl.monkeypatch.context() as patch:
        patch.setattr(time, "sleep", lambda _s: work(cloudctl.core, without_font))
        patch.setattr(following.follow_work, "__defaults__", (None, time.sleep))
        ended = cloudctl("migration", "report", "--wait", "-f", "json", user="dave")
    assert ended.code == exits.FAILED
    assert ended.json["id"] == asked["id"]
    assert ended.err.startswith("misconfigured: no Chinese font")


def test_a_month_that_is_not_frozen_is_not_found_and_the_way_out_is_told(cloudctl: CommandLine) -> None:
    ended = cloudctl("migration", "report", "--month", "2026-09", user="dave")
    assert ended.code == exits.NOT_FOUND
    assert "cloudctl migration snapshot take 2026-09" in ended.err


def test_a_directory_that_cannot_be_written_is_said(cloudctl: CommandLine, tmp_path: Path) -> None:
    cloudctl.rows("migration", "report", user="dave")
    work(cloudctl.core)
    (tmp_path / "file").write_text("x")
    ended = cloudctl("migration", "report", "--out", str(tmp_path / "file" / "below"), user="dave")
    assert ended.code == exits.USAGE
    assert "cannot be saved" in ended.err


class Works:
    """A server whose work moves on with each question."""

    def __init__(self, *states: str) -> None:
        self._states = list(states)
        self.asked = 0

    def get(self, _path: str) -> dict[str, Any]:
        self.asked += 1
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {
            "id": 7,
            "state": state,
            "why": "laying out",
            "progress_done": self.asked,
            "progress_total": 9,
        }


def test_following_ends_with_the_work_and_waits_between() -> None:
    server, waits = Works("queued", "running", "done"), list[float]()
    ended = following.follow_work(server, "/x/7", lambda _a, _b: None, sleep=waits.append)  # type: ignore[arg-type]
    assert (ended["state"], server.asked) == ("done", 3)
    assert waits == [following.POLL_S] * 2


def test_following_gives_up_after_its_time_and_names_what_it_followed() -> None:
    with pytest.raises(Complaint, match="migration/reports/7 is still in state running"):
        following.follow_work(
            Works("running"),  # type: ignore[arg-type]
            "/migration/reports/7",
            lambda _a, _b: None,
            timeout_s=0,
            sleep=lambda _s: None,
        )


def test_a_terminal_sees_a_bar_with_the_noun_and_a_pipe_sees_nothing() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        with following.reporter(stream, "bulletin") as report:
            row = {"id": 7, "state": "running", "why": "laying out", "progress_done": 3, "progress_total": 9}
            report(row, row)
        assert ("bulletin 7 running: laying out" in stream.getvalue()) is is_shown
