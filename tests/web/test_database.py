"""cloudctl's own database over the API and on its page; a restore that waits shows everywhere."""

from collections.abc import Callable

import pytest

from cloudctl.core import Core
from cloudctl.models import DatabaseCopy, DatabaseRestore, RoleGrant
from dr.database import recovery
from tests.protecting import a_vault
from tests.web.conftest import Api, Portal

WithToken = Callable[..., Api]
SignedIn = Callable[[str], Portal]


@pytest.fixture(autouse=True)
def data(core: Core, province: None) -> None:
    a_vault(core)
    recovery.make(core.settings, core.settings.keys / "recovery.json", "ab" * 32, core.clock.now())
    with core.store.write() as uow:
        uow.add(
            RoleGrant(user_id="erin", role="province_admin", scope_kind="installation", scope_id="*",
                      granted_by="test", granted_at=core.clock.now())
        )  # fmt: skip


def it_came_back(core: Core) -> None:
    now = core.clock.now()
    with core.store.write() as uow:
        uow.add(
            DatabaseRestore(
                copy_id="c1",
                source="s3://vault-city-1",
                taken_at=now,
                restored_at=now,
                restored_by="local:root",
            )
        )


def a_copy(core: Core) -> str:
    now = core.clock.now()
    told = {
        "state": "sealed",
        "level": "L1",
        "checked_at": now.isoformat(),
        "head_key": "heads/x",
        "note": "",
    }
    with core.store.write() as uow:
        return uow.add(
            DatabaseCopy(
                id="0123456789abcdef", sequence=3, state="protected", level="L2", verified_at=now,
                taken_at=now, stored_at=now, created_at=now, created_by="system", bytes=1 << 20,
                vaults={"city-1": told},
                kept_key="secret-kept", wrapped_key="secret-wrapped",
            )
        ).id  # fmt: skip


def test_a_copy_is_begun_listed_and_proved_over_the_api(core: Core, api: WithToken) -> None:
    dave = api("dave")
    copy = a_copy(core)
    [row] = dave.get("/database/copies").get_json()["items"]
    assert (row["id"], row["name"], row["state"], row["level"]) == (copy, "3", "protected", "L2")
    assert row["verified_at"].endswith("Z")
    assert "secret" not in str(row)
    assert dave.get("/database").get_json()["newest_copy"]["id"] == copy
    begun = dave.post("/database/copies", {})
    assert (begun.status_code, begun.get_json()["state"]) == (202, "making")
    again = dave.post(f"/database/copies/{copy[:8]}/prove", {})
    assert (again.status_code, again.get_json()["code"]) == (409, "conflict")
    assert dave.post("/database/copies/ffffffff/prove", {}).status_code == 404


def test_only_who_plans_for_the_whole_may_begin_a_copy(api: WithToken) -> None:
    assert api("alice").post("/database/copies", {}).status_code == 403
    assert api("alice").get("/database/copies").status_code == 403


def test_after_a_restore_two_people_have_to_confirm(core: Core, api: WithToken) -> None:
    it_came_back(core)
    dave, erin = api("dave"), api("erin")
    assert dave.get("/database").get_json()["state"] == "observing"
    refused = dave.post("/database/copies", {})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "observe_only")
    assert dave.post("/database/confirm", {"reason": ""}).status_code == 422
    first = dave.post("/database/confirm", {"reason": "compared"}).get_json()
    assert (first["state"], first["confirmed_by"]) == ("observing", ["dave"])
    assert dave.post("/database/confirm", {"reason": "compared"}).get_json()["code"] == "second_person_needed"
    assert erin.post("/database/confirm", {"reason": "compared"}).get_json()["state"] == "acting"
    assert erin.post("/database/confirm", {"reason": "compared"}).get_json()["code"] == "wrong_state"


def test_every_page_says_that_nothing_is_changed_until_then(core: Core, portal: SignedIn) -> None:
    dave, alice = portal("dave"), portal("alice")
    words = "两人确认之前"
    assert words not in dave.get("/").text
    it_came_back(core)
    assert words in dave.get("/").text
    assert words in alice.get("/requests").text
    page = dave.get("/backup/database").text
    assert "s3://vault-city-1" in page
    assert "同意恢复运行" in page
    assert dave.post("/backup/database/confirm", reason="").status_code == 422
    assert dave.post("/backup/database/confirm", reason="已核对").status_code == 303
    assert "同意恢复运行" not in dave.get("/backup/database").text, "another person has to"
    assert portal("erin").post("/backup/database/confirm", reason="已核对").status_code == 303
    assert words not in dave.get("/").text


def test_the_page_shows_copies_with_their_level_and_begins_one(core: Core, portal: SignedIn) -> None:
    copy = a_copy(core)
    dave = portal("dave")
    page = dave.get("/backup/database").text
    assert "L2" in page
    assert "受保护" in page
    assert "secret" not in page
    assert dave.post(f"/backup/database/copies/{copy}/prove").status_code == 303
    busy = dave.post("/backup/database/copies")
    assert busy.status_code == 409
    assert "正在备份" in busy.text
