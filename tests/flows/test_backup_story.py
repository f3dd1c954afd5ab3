"""The offsite backup over the API on the fakes: taken, proved, counted, and back out of the vault alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Project
from dr import standing
from provisioning.drivers.fake_cloud import FakeClouds
from tenants import people
from tests.builders import a_province, an_actor
from tests.conftest import make_core
from tests.flows.protecting import CITY, SYSTEM, Protected, protect, same
from tests.web.conftest import Api
from web.app import create_app

Asking = Callable[[str], Api]


def api_of(world: Protected) -> Asking:
    app = create_app(world.core, FakeClouds(world.clouds), world.stores, lambda: world.keyring)
    app.testing = False

    def asking(user: str) -> Api:
        client: FlaskClient = app.test_client()
        return Api(client, people.create_token(world.core, an_actor(world.core, user), "tests", 30))

    return asking


@pytest.mark.usefixtures("small_gib")
def test_a_point_is_taken_proved_counted_and_brought_back_from_the_vault_alone(
    core: Core, clock: FrozenClock, tmp_path: Path
) -> None:
    world = protect(core, clock, [CITY], level="L2", lock_s=7 * 86_400)
    api = api_of(world)
    [begun] = api("bob").post("/backup/run", {"system": SYSTEM}).get_json()["items"]
    ended = world.work(begun["operation_id"])
    assert ended.state == "done", ended.error_message
    proof = api("bob").post(f"/points/{begun['id']}/prove", {}).get_json()
    assert world.work(proof["operation_id"]).state == "done"
    [row] = api("bob").get("/points").get_json()["items"]
    assert (row["state"], row["level"], row["system"]) == ("protected", "L2", SYSTEM)
    [member] = standing.members(core, an_actor(core, "dave"))
    assert member["state"] == "protected"
    contents = world.contents()

    home = tmp_path / "elsewhere"
    home.mkdir()
    other = make_core(home, clock=clock)
    a_province(other)
    lost = same(world, other)
    dave = api_of(lost)("dave")
    assert dave.get("/points").get_json()["items"] == []
    for _ in range(2):
        found = dave.post("/backup/rebuild", {"vault": f"s3://{world.stores.vault(CITY, 'read').bucket}"})  # type: ignore[arg-type]
        assert found.status_code == 200, found.text
        assert (found.get_json()["id"], found.get_json()["points"], found.get_json()["faults"]) == (
            CITY,
            1,
            [],
        )
    assert found.get_json()["new"] == 0
    [again] = dave.get("/points").get_json()["items"]
    assert (again["id"], again["state"], again["level"]) == (begun["id"], "sealed", None)

    with other.store.write() as uow:
        uow.add(
            Project(
                id="restored", name="restored", system_id=SYSTEM, department_id="gx-finance", site_id=CITY,
                external_id=world.external[CITY], state="active", created_at=clock.now(),
            )
        )  # fmt: skip
    made = dave.post(f"/points/{again['id']}/restore", {"site": CITY, "project": "restored"}).get_json()
    assert lost.work(made["operation_id"]).state == "done"
    restored = dave.get(f"/points/restores/{made['id']}").get_json()
    assert (restored["state"], restored["is_verified"]) == ("done", True)
    volumes = [restored["made"][key]["volume"] for key in sorted(restored["made"], key=int)]
    assert [world.clouds[CITY].content(one) for one in volumes] == contents
    assert dave.post("/backup/rebuild", {"vault": "s3://nobody"}).status_code == 404
    assert api_of(lost)("bob").post("/backup/rebuild", {"vault": CITY}).status_code == 403
    other.store.close()
