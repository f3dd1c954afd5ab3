"""Buckets in the API, on the page of a point and at the command line."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from cloudctl.cli import exits
from cloudctl.core import Core
from cloudctl.models import Restore
from tests.command_line import CommandLine, a_server
from tests.protecting import BUDGET, a_point, a_policy, a_vault, a_volume
from tests.web.conftest import Api, NoClouds, Portal

FILES = "budget-files"
MEMBER = {"kind": "bucket", "system": BUDGET, "site": "province", "name": FILES}


@pytest.fixture
def point(core: Core, province: None) -> str:
    a_vault(core)
    a_volume(core)
    a_policy(core, name="buckets", members=[MEMBER])
    return a_point(core, core.clock.now())


def restores(core: Core) -> list[Restore]:
    with core.store.read() as uow:
        return uow.all(Restore, order_by=[Restore.id])


def test_the_api_brings_a_bucket_back_and_shows_it(core: Core, api: Callable[..., Api], point: str) -> None:
    moment = core.clock.now() - timedelta(hours=1)
    body = {"point": point, "bucket": "again", "as_of": moment.isoformat()}
    answer = api("dave").post("/backup/buckets/restore", body)
    assert answer.status_code == 202, answer.get_json()
    told = answer.get_json()
    shown = api("dave").get(f"/points/restores/{told['id']}").get_json()
    assert (shown["mode"], shown["bucket"], shown["state"]) == ("bucket", "again", "asked")
    assert api("bob").get(f"/points/{point}").get_json()["bucket"] == FILES
    assert api("alice").post("/backup/buckets/restore", body).status_code == 403
    wrong = api("dave", "zh").post("/backup/buckets/restore", {"point": point, "bucket": "No_"})
    assert wrong.status_code == 422
    assert not wrong.get_json()["faults"][0]["message"].isascii()


def test_the_page_of_a_point_offers_the_bucket_as_of_a_time(
    core: Core, portal: Callable[..., Portal], point: str
) -> None:
    dave = portal("dave")
    page = dave.get(f"/backup/points/{point}").get_data(as_text=True)
    assert FILES in page
    assert 'name="as_of"' in page
    assert dave.post(f"/backup/points/{point}/restore-bucket", as_of="昨天").status_code == 422
    assert restores(core) == []
    asked = dave.post(f"/backup/points/{point}/restore-bucket", as_of="", bucket="again")
    assert asked.status_code == 303
    assert [one.plan for one in restores(core)] == [{"bucket": "again", "as_of": None}]
    assert dave.get(f"/backup/restores/{restores(core)[0].id}").status_code == 200


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def test_the_command_line_takes_a_bucket_in_and_brings_it_back(
    core: Core, point: str, cloudctl: CommandLine
) -> None:
    apply = ("backup", "policy", "apply", "--name", "more", "--tier", "T2", "--vault", "city-1", "--dry-run")
    [row] = cloudctl.rows(*apply, "--bucket", f"{BUDGET}@省级政务云/other-files", user="dave")
    assert row["state"] == "new"
    assert cloudctl(*apply, "--bucket", BUDGET, user="dave").code == exits.USAGE
    back = ("backup", "restore", point, "--bucket", "again", "--wait", "--timeout", "0")
    assert cloudctl(*back, user="dave").err.startswith("timed_out: ")
    named = cloudctl.rows("backup", "restore", f"{FILES}@省级政务云", user="dave")
    assert (named["mode"], named["bucket"]) == ("bucket", f"{FILES}-restored-{named['id']}")
    late = ("backup", "restore", point, "--as-of", "2031-01-01T00:00:00+08:00")
    assert cloudctl(*late, user="dave").code == exits.USAGE
    assert cloudctl(*back, "--volume", "0", user="dave").code == exits.USAGE
    assert cloudctl("backup", "restore", point, user="dave").code == exits.REFUSED
