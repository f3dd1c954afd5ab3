"""`cloudctl migration`: what scripts and people get of rates, rules and frozen months."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudctl.cli import exits
from cloudctl.core import Core
from cloudctl.models import RateSnapshot
from tests.command_line import CommandLine, a_server
from tests.counted_register import MOVED, a_province_without_systems, a_system, a_target, runs
from tests.unit.test_cli_contract import NoClouds

RULES = Path(__file__).resolve().parents[2] / "examples" / "rules"


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province_without_systems(core)
    for n in range(4):
        dated: dict[str, Any] = {**MOVED, "old_host_off_on": date(2026, 1, 1)} if n < 3 else {}
        a_system(core, f"s{n}", **dated)
    runs(core, "s0", core.clock.now() - timedelta(days=31))
    a_target(core, "division:450000", 9500, date(2026, 12, 31))
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def test_the_rate_as_scripts_and_as_people_read_it(cloudctl: CommandLine) -> None:
    row = cloudctl.rows("migration", "rate", user="alice")[0]
    contract = ("id", "name", "state", "scope", "numerator", "denominator", "rate", "verified_rate", "target")
    assert [row[key] for key in (*contract, "deadline", "rule")] == [
        "division:450000", "广西壮族自治区", "behind", "division:450000", 3, 4, "75.00", "25.00", "95.00",
        "2026-12-31", "default@1",
    ]  # fmt: skip
    table = cloudctl("migration", "rate", user="alice").out
    assert "南宁市" in table
    assert "75.00" in table
    empty = cloudctl.rows("migration", "rate", "--scope", "division:南宁市", user="alice")
    assert [row["rate"] for row in empty] == [None]


def test_scopes_are_named_and_days_and_rules_chosen(cloudctl: CommandLine) -> None:
    by_name = cloudctl.rows("migration", "rate", "--scope", "department:财政厅", user="alice")
    assert by_name[0]["scope"] == "department:gx-finance"
    own = cloudctl.rows("migration", "rate", "--scope", "own:450000", "--by", "level", user="alice")
    assert own[0]["group"] == "level:province"
    past = cloudctl.rows("migration", "rate", "--on", "2019-12-31", user="alice")
    assert past[0]["denominator"] == 0
    ranking = cloudctl.rows("migration", "ranking", "--of", "departments", user="alice")
    assert [(row["rank"], row["name"]) for row in ranking] == [(1, "财政厅")]
    inside = cloudctl.rows("migration", "ranking", "--within", "division:南宁市", user="alice")
    assert [row["scope"] for row in inside] == ["division:450100"]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("rate", "--scope", "450000"), exits.USAGE),
        (("rate", "--scope", "division:459999"), exits.NOT_FOUND),
        (("rate", "--on", "2027-01-01"), exits.USAGE),
        (("rate", "--by", "size"), exits.USAGE),
        (("rate", "--rule", "gx@9"), exits.NOT_FOUND),
        (("forecast", "--target", "lots"), exits.USAGE),
        (("evidence", "nobody"), exits.NOT_FOUND),
        (("evidence", "--which", "all"), exits.USAGE),
        (("rule", "use", "default@1"), exits.REFUSED),
        (("snapshot", "take", "2026-10"), exits.REFUSED),
        (("snapshot", "show", "2026-10"), exits.NOT_FOUND),
        (("rule", "apply", "no-such-file.yaml"), exits.USAGE),
    ],
)
def test_what_goes_wrong_has_its_exit_code(cloudctl: CommandLine, argv: tuple[str, ...], code: int) -> None:
    ended = cloudctl("migration", *argv, user="alice")
    assert ended.code == code, ended.err
    assert ended.out == ""


def test_evidence_of_one_system_and_of_every_number(cloudctl: CommandLine) -> None:
    [one] = cloudctl.rows("migration", "evidence", "s0", user="alice")
    assert [(piece["name"], piece["value"]) for piece in one["evidence"]] == [
        ("live", "yes"),
        ("old_host_off", "yes"),
    ]
    listed = cloudctl.rows("migration", "evidence", "--which", "to_move", user="alice")
    assert [row["id"] for row in listed] == ["s3"]
    table = cloudctl("migration", "evidence", "--which", "moved", "--limit", "1", user="alice").out
    assert "live: yes (a server has run at province since" in table


def test_the_forecast_and_the_flags_say_what_they_can(cloudctl: CommandLine) -> None:
    row = cloudctl.rows("migration", "forecast", user="alice")
    assert (row["pace_needed"], row["expected_rate"], row["why"]) == (1, None, "too_short")
    table = cloudctl("migration", "forecast", "--target", "70", "--deadline", "2026-12-31", user="alice").out
    assert "reached" in table
    assert cloudctl.rows("migration", "flags", user="alice") == []


def test_rules_are_applied_listed_shown_and_used(cloudctl: CommandLine, tmp_path: Path) -> None:
    made = cloudctl.rows("migration", "rule", "apply", str(RULES / "demo-0d.yaml"), "--use", user="dave")
    assert (made["id"], made["state"]) == ("demo-0d@1", "current")
    assert cloudctl.rows("migration", "rule", "show", user="alice")["document"]["live_days"] == 0
    assert [row["id"] for row in cloudctl.rows("migration", "rule", "list", user="alice")] == [
        "default@1",
        "demo-0d@1",
    ]
    assert cloudctl.rows("migration", "rule", "use", "default@1", user="dave")["state"] == "current"
    file = tmp_path / "gx.yaml"
    file.write_text((RULES / "gx-2026.yaml").read_text().replace("live_days: 30", "live_dys: 30"))
    ended = cloudctl("migration", "rule", "apply", str(file), user="dave")
    assert ended.code == exits.USAGE
    assert "gx.yaml:22:1: live_dys: this key is not known here" in ended.err
    assert "did you mean 'live_days'?" in ended.err
    assert "^" in ended.err, "the line of the file stands below"


def test_a_month_is_frozen_shown_compared_and_verified(cloudctl: CommandLine, core: Core) -> None:
    ended = cloudctl("migration", "snapshot", "take", "2026-09", user="dave")
    assert ended.code == 0, ended.err
    assert "广西壮族自治区 all: 3 / 4 = 75.00 %" in ended.out
    again = cloudctl("migration", "snapshot", "take", "2026-09", user="dave")
    assert again.code == exits.USAGE
    assert "needs a reason" in again.err
    cloudctl.rows("migration", "snapshot", "take", "2026-09", "--reason", "补报", user="dave")
    listed = cloudctl.rows("migration", "snapshot", "list", user="alice")
    assert [(row["revision"], row["state"]) for row in listed] == [(2, "valid"), (1, "superseded")]
    assert len(cloudctl.rows("migration", "snapshot", "systems", "latest", user="alice")) == 4
    assert cloudctl.rows("migration", "snapshot", "diff", "1", "2", user="alice") == []
    shown = cloudctl("migration", "snapshot", "show", "2026-09", "--scope", "own:450000", user="alice").out
    assert "mlps:2" in shown
    assert cloudctl.rows("migration", "snapshot", "verify", user="alice")["intact"] is True
    with core.store.write() as uow:
        uow.update(RateSnapshot, RateSnapshot.revision == 1, reason="changed")
    broken = cloudctl("migration", "snapshot", "verify", user="alice")
    assert broken.code == exits.FAILED
    assert "snapshot_broken: 2026-09 r1 default@1: was changed after it was written" in broken.err
