"""Protection plans from the command line: applied, shown, written out, ready or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from dr.plans import looking
from dr.plans.facts import Outside
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.builders import a_province
from tests.command_line import CommandLine, a_server
from tests.planning import a_plan_file, a_protected_system
from tests.protecting import a_point


@pytest.fixture
def outside(core: Core, clock: FrozenClock) -> Outside:
    a_province(core)
    a_protected_system(core)
    return Outside(FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")}))


@pytest.fixture
def cloudctl(core: Core, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(core, outside.clouds) as url:
        yield CommandLine(core, url, monkeypatch)


def a_file(tmp_path: Path, *plans: object) -> str:
    file = tmp_path / "plans.yaml"
    file.write_text(yaml.safe_dump({"plans": list(plans)}, allow_unicode=True), encoding="utf-8")
    return str(file)


def test_a_plan_is_applied_written_out_and_applied_again(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = a_file(tmp_path, a_plan_file())
    [tried] = cloudctl.rows("dr", "plan", "apply", file, "--dry-run", user="dave")
    assert (tried["state"], tried["result"]) == ("needs_verification", "new")
    assert cloudctl.rows("dr", "plan", "list", user="dave") == []
    cloudctl.rows("dr", "plan", "apply", file, user="dave")
    written = tmp_path / "again.yaml"
    assert cloudctl("dr", "plan", "export", "budget", "-o", str(written), user="dave").code == exits.DONE
    [again] = cloudctl.rows("dr", "plan", "apply", str(written), user="dave")
    assert again["result"] == "same"
    changed = cloudctl("dr", "plan", "apply", a_file(tmp_path, a_plan_file(rto="1h")), user="dave")
    assert "rto: 30m -> 1h" in changed.out
    wrong = cloudctl("dr", "plan", "apply", a_file(tmp_path, a_plan_file(rpo="x", home=None)), user="dave")
    assert wrong.code == exits.USAGE
    assert "rpo: must be a length of time" in wrong.err
    assert "home: is missing" in wrong.err


def test_a_field_that_is_said_twice_is_refused(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "plans.yaml"
    file.write_text("plans:\n  - name: budget\n    rpo: 1h\n    rpo: 25h\n", encoding="utf-8")
    ended = cloudctl("dr", "plan", "apply", str(file), user="dave")
    assert ended.code == exits.USAGE
    assert "line 4: rpo is said twice" in ended.err


def test_readiness_ends_with_its_own_code(
    cloudctl: CommandLine, tmp_path: Path, core: Core, outside: Outside
) -> None:
    cloudctl.rows("dr", "plan", "apply", a_file(tmp_path, a_plan_file()), user="dave")
    stopped = cloudctl("dr", "readiness", "budget", user="dave")
    assert stopped.code == exits.REFUSED
    assert "budget: data: no point of gx-finance-budget was read back" in stopped.err
    a_point(core, core.clock.now())
    assert cloudctl("dr", "readiness", user="dave").code == exits.DONE
    looking.look_due(core, outside)
    shown = cloudctl("dr", "plan", "show", "budget", user="dave").out
    assert "web after db: vm-web (points, one_site)" in shown
    assert "never measured" in shown


def test_a_plan_is_suspended_resumed_and_retired(cloudctl: CommandLine, tmp_path: Path) -> None:
    cloudctl.rows("dr", "plan", "apply", a_file(tmp_path, a_plan_file()), user="dave")
    suspend = ("dr", "plan", "suspend", "budget", "--reason", "机房改造")
    assert cloudctl.rows(*suspend, user="dave")["state"] == "suspended"
    assert cloudctl(*suspend, user="dave").code == exits.CONFLICT
    assert cloudctl.rows("dr", "plan", "resume", "budget", user="dave")["state"] == "needs_verification"
    retire = ("dr", "plan", "retire", "budget", "--reason", "下线")
    assert cloudctl.rows(*retire, user="dave")["state"] == "retired"
    assert cloudctl("dr", "plan", "show", "none", user="dave").code == exits.NOT_FOUND
