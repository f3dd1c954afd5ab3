"""Working alone over the API and on its page; a standby lets people look, sign in and take over."""

from collections.abc import Callable

import pytest
from apiflask import APIFlask

from cloudctl.core import Core
from cloudctl.models import AloneMerge, RoleGrant, SiteExport, Standby
from provisioning.drivers.fake_objects import FakeStores
from tests.web.conftest import PASSWORD, Api, NoClouds, Portal
from web.app import create_app

WithToken = Callable[..., Api]
SignedIn = Callable[[str], Portal]


@pytest.fixture
def app(core: Core, province: None) -> APIFlask:
    return create_app(core, NoClouds(), FakeStores(core.clock, ("province", "city-1")))


def it_stands_by(core: Core, **changes: object) -> None:
    now = core.clock.now()
    with core.store.write() as uow:
        going = [{"id": 7, "kind": "failover", "name": "budget", "state": "seized", "site": "city-1"}]
        plain = {"site_id": "city-1", "source": "s3://vault-city-1", "state": "standby", "seen_at": now,
                 "going": going}  # fmt: skip
        uow.add(Standby(**{"id": 1, **plain, **changes}))
        uow.add(
            RoleGrant(user_id="erin", role="cloud_admin", scope_kind="site", scope_id="city-1",
                      granted_by="test", granted_at=now)
        )  # fmt: skip


def test_the_home_tells_what_the_sites_have_and_what_was_merged(
    core: Core, api: WithToken, portal: SignedIn
) -> None:
    now = core.clock.now()
    head = {"changed_at": now.isoformat()}
    move = {"name": "budget", "from_site": "province", "site": "city-1", "state": "shifted",
            "asked_by": "olga", "approved_by": ["bob", "dave"], "glass_broken_by": []}  # fmt: skip
    with core.store.write() as uow:
        uow.add(SiteExport(site_id="city-1", sequence=4, head=head, put_at=now))
        uow.add(SiteExport(site_id="city-2", error="no answer"))
        report = {"moves": [move], "taken": [], "plans": [], "left": [], "left_count": 3,
                  "conflicts": [{"table": "user", "name": "x", "why": "both_changed"}]}  # fmt: skip
        uow.add(
            AloneMerge(site_id="city-1", sequence=2, tables_sha256="", alone_at=now, merged_at=now,
                       merged_by="dave", report=report)
        )  # fmt: skip
    told = api("dave").get("/alone").get_json()
    assert (told["state"], told["standby"]) == ("home", None)
    assert [(one["name"], one["state"]) for one in told["exports"]] == [
        ("city-1", "current"),
        ("city-2", "missing"),
    ]
    page = portal("dave").get("/alone").text
    for words in ("独立运行", "no answer", "olga", "双方均有修改"):
        assert words in page
    assert api("alice").get("/alone").status_code == 403


def test_a_standby_refuses_every_change_but_lets_people_sign_in(core: Core, api: WithToken) -> None:
    it_stands_by(core)
    dave = api("dave")
    refused = dave.post("/database/copies")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "observe_only")
    assert dave.get("/plans").status_code == 200
    signed = dave.client.post("/api/v1/sign-in", json={"user": "dave", "password": PASSWORD})
    assert signed.status_code in (200, 201), signed.get_json()


def test_two_people_take_over_on_the_page(core: Core, portal: SignedIn) -> None:
    it_stands_by(core)
    core.clock.advance(121)  # type: ignore[attr-defined]
    dave, erin = portal("dave"), portal("erin")
    page = dave.get("/alone").text
    assert "121" in page
    assert "budget" in page
    assert "本系统为备用" in page
    for person in (dave, erin):
        assert person.post("/alone/takeover", reason="nobody answers").status_code == 303
    page = dave.get("/alone").text
    assert "本站点正在独立运行" in page
    with core.store.read() as uow:
        assert uow.need(Standby, 1).state == "alone"
    assert dave.post("/alone/standby", reason="it is back").status_code == 409
    assert dave.post("/alone/takeover", reason="again").status_code == 409


def test_who_has_no_say_at_the_site_is_not_asked(core: Core, portal: SignedIn) -> None:
    it_stands_by(core)
    core.clock.advance(121)  # type: ignore[attr-defined]
    assert portal("bob").post("/alone/takeover", reason="nobody answers").status_code == 403
