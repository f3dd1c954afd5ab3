"""Traffic over the API, on pages and on the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import User
from dr.plans.document import Serving
from tests.command_line import CommandLine, a_server
from tests.steering import AT_CITY, NAME, Steered, a_document, a_plan, steer_in
from tests.web.conftest import Api, NoClouds, Portal
from web.app import create_app


@pytest.fixture
def world(core: Core, province: None, clock: FrozenClock) -> Steered:
    made = steer_in(core, clock)
    with core.store.write() as uow:
        uow.need(User, "olga").password_hash = uow.need(User, "dave").password_hash
    made.put()
    return made


@pytest.fixture
def app(core: Core, world: Steered) -> Iterator[APIFlask]:
    made = create_app(core, NoClouds(), dns=lambda: world.dns)
    made.testing = False
    yield made


@pytest.fixture
def cloudctl(core: Core, world: Steered, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(core, NoClouds(), dns=lambda: world.dns) as url:
        yield CommandLine(core, url, monkeypatch)


def test_a_shift_is_previewed_begun_and_shown(api: Callable[..., Api], world: Steered) -> None:
    olga = api("olga")
    shown = olga.post(f"/traffic/{NAME}/preview", {"to": "city-1", "soak_s": 5}).get_json()
    assert (shown["state"], [one["code"] for one in shown["faults"]]) == ("impossible", ["ttl"])
    assert [one["city-1"] for one in shown["steps"]] == [1, 5, 25, 50, 100]
    refused = olga.post(f"/traffic/{NAME}/shifts", {"to": "city-1", "soak_s": 5})
    assert (refused.status_code, refused.get_json()["faults"][0]["code"]) == (409, "ttl")
    asked = {"to": "city-1", "soak_s": 5, "set_aside": ["ttl", "lag"], "reason": "the power goes at noon"}
    begun = olga.post(f"/traffic/{NAME}/shifts", asked)
    assert (begun.status_code, begun.get_json()["set_aside"]) == (202, ["ttl"])
    assert olga.post(f"/traffic/{NAME}/shifts", asked).status_code == 409
    world.work(begun.get_json()["operation_id"])
    row = olga.get(f"/traffic/shifts/{begun.get_json()['id']}").get_json()
    assert (row["state"], row["weights"]) == ("done", AT_CITY)
    assert row["errors"]["city-1"]["failed"] == 0
    [listed] = olga.get("/traffic").get_json()["items"]
    assert (listed["name"], listed["state"], listed["plan"]) == (NAME, "single_site", "budget")
    assert len(olga.get("/traffic/shifts", name="budget").get_json()["items"]) == 2


def test_who_may_what(api: Callable[..., Api]) -> None:
    assert api("alice").get("/traffic").status_code == 403  # a requester
    assert api("bob").post(f"/traffic/{NAME}/shifts", {"to": "city-1"}).status_code == 403
    assert api("olga").post(f"/traffic/{NAME}/freeze", {"reason": "x"}).status_code == 403
    assert api("olga").post("/traffic", {"plan": "budget"}).status_code == 403
    assert api("grace").get(f"/traffic/{NAME}").status_code == 404  # of another department
    assert api("bob").post(f"/traffic/{NAME}/freeze", {"reason": "the congress"}).status_code == 200
    refused = api("olga").post(f"/traffic/{NAME}/shifts", {"to": "city-1"})
    assert refused.get_json()["faults"][0]["code"] == "frozen"
    set_aside = {"to": "city-1", "set_aside": ["frozen"], "reason": "x"}
    assert api("olga").post(f"/traffic/{NAME}/shifts", set_aside).status_code == 422
    assert api("bob").post(f"/traffic/{NAME}/thaw").status_code == 200


def test_what_is_wrong_is_said_at_once(api: Callable[..., Api], core: Core) -> None:
    dave = api("dave")
    bad = dave.post("/traffic", {"plan": "budget", "limits": {"headroom": 0, "wach": {}}})
    assert (bad.status_code, len(bad.get_json()["faults"])) == (422, 2)
    assert dave.post("/traffic", {"plan": "nothing"}).status_code == 404
    a_plan(core, a_document(steering=None))
    assert dave.post("/traffic", {"plan": "budget"}).get_json()["faults"][0]["place"] == "steering"
    wrong = api("olga").post(f"/traffic/{NAME}/shifts", {"to": "city-1", "weights": {}, "soak_s": 0})
    assert {one["place"] for one in wrong.get_json()["faults"]} == {"to", "soak_s"}
    assert api("olga").post("/traffic/shifts/999/halt").status_code == 404


def test_the_page_says_what_two_sites_are_not(portal: Callable[[str], Portal], core: Core) -> None:
    a_plan(core, a_document(Serving.READ_ANYWHERE))
    page = portal("olga").get(f"/recovery/traffic/{NAME}").text
    assert "不等于 RPO 为 0" in page
    assert "按域名解析服务器计算" in page
    assert portal("olga").get("/recovery/traffic/").status_code == 200


def test_people_are_moved_and_taken_back_on_the_page(portal: Callable[[str], Portal], world: Steered) -> None:
    olga, path = portal("olga"), f"/recovery/traffic/{NAME}"
    refused = olga.post(f"{path}/shift", **{"weight-city-1": 30, "weight-province": 60})
    assert (refused.status_code, "各节点比例之和为 90" in refused.text) == (409, True)
    assert 'value="30"' in refused.text
    moved = olga.post(f"{path}/shift", **{"weight-city-1": 25, "weight-province": 75, "reason": "试运行"})
    assert moved.status_code == 303
    shift_id = world.last_shift().id
    world.work_a_little(world.last_shift().operation_id or 0)
    assert "第 1 步，共 4 步" in olga.get(path).text
    assert olga.post(f"{path}/shifts/{shift_id}/halt", reason="等一等").status_code == 303
    assert "等一等" in olga.get(path).text
    assert olga.post(f"{path}/shifts/{shift_id}/resume").status_code == 303
    assert olga.post(f"{path}/shifts/{shift_id}/roll-back").status_code == 303
    world.work(world.last_shift().operation_id)
    assert world.at_master() == {"city-1": 0, "province": 100}
    assert portal("dave").post(f"{path}/freeze", reason="两会期间").status_code == 303
    assert "已冻结" in olga.get(path).text
    assert portal("dave").post(f"{path}/thaw").status_code == 303


def test_the_command_line(cloudctl: CommandLine, world: Steered, tmp_path: Path) -> None:
    start = ("dr", "shift", "start", "budget")
    tried = cloudctl(*start, "--to", "city-1", "--dry-run", "-f", "json", user="olga")
    assert (tried.code, tried.json["state"], len(tried.json["steps"])) == (exits.HAS_CHANGES, "possible", 5)
    refused = cloudctl(*start, "--weights", "city-1=50,province=60", user="olga")
    assert (refused.code, "110" in refused.err) == (exits.REFUSED, True)
    assert cloudctl(*start, "--weights", "half", user="olga").code == exits.USAGE
    begun = cloudctl(*start, "--to", "city-1", "-f", "json", user="olga")
    number = str(begun.json["id"])
    halted = cloudctl("dr", "shift", "halt", number, "--reason", "wait", "-f", "json", user="olga")
    assert halted.json["state"] == "halted"
    assert (
        cloudctl("dr", "shift", "rollback", number, "-f", "json", user="olga").json["state"] == "rolling_back"
    )
    world.work(world.last_shift().operation_id)
    [row, _] = cloudctl.rows("dr", "shift", "list", user="olga")
    assert (row["id"], row["state"]) == (int(number), "rolled_back")
    limits = tmp_path / "limits.yaml"
    limits.write_text("soak_s: 45\nwatch: {kind: tcp, port: 443}\n")
    applied = cloudctl("dr", "traffic", "apply", "budget", "--limits", str(limits), "-f", "json", user="dave")
    assert applied.json["limits"] == {"soak_s": 45, "watch": {"kind": "tcp", "port": 443}}
    frozen = cloudctl("dr", "shift", "freeze", NAME, "--reason", "the congress", "-f", "json", user="dave")
    assert frozen.json["is_frozen"]
    assert cloudctl(*start, "--to", "city-1", user="olga").code == exits.REFUSED
    assert not cloudctl("dr", "shift", "thaw", NAME, "-f", "json", user="dave").json["is_frozen"]
    [shown] = cloudctl.rows("dr", "traffic", "list", user="ivan")
    assert shown["weights"] == {"city-1": 0, "province": 100}
