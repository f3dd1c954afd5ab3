"""Sentinels follow their system to the site where it runs."""

from cloudctl.core import Core
from cloudctl.models import InformationSystem, ProtectionPlan, Resource, Site
from dr.plans.document import Sentinels
from dr.sentinels.addressing import aimed
from dr.sentinels.writing import wanted
from tests.builders import a_province
from tests.recovery_rows import a_plan

BY_NAME = Sentinels("http://web1:8080/notes?a=1", "http://WEB1/notes")


def a_server(core: Core, name: str, site: str, address: str) -> None:
    with core.store.write() as uow:
        system = uow.column(InformationSystem.id)[0]
        uow.add(
            Resource(
                id=f"row-{name}", kind="server", site_id=site, system_id=system, name=name, state="active",
                addresses={"ipv4": [address]}, created_at=core.clock.now(),
            )
        )  # fmt: skip


def test_the_name_of_a_server_becomes_its_address_and_everything_else_stays() -> None:
    found = aimed(BY_NAME, {"web1": "10.20.0.7"})
    assert (found.write_url, found.read_url) == ("http://10.20.0.7:8080/notes?a=1", "http://10.20.0.7/notes")
    assert aimed(BY_NAME, {"web1": "fd00::7"}).write_url == "http://[fd00::7]:8080/notes?a=1"
    elsewhere = Sentinels("https://pay.gov.example/s", "http://10.20.0.9/s")
    assert aimed(elsewhere, {"web1": "10.20.0.7"}) == elsewhere


def test_after_a_move_they_are_written_at_the_new_site_whose_server_has_a_longer_name(core: Core) -> None:
    a_province(core)
    plan_id = a_plan(core, sentinels=BY_NAME)
    with core.store.read() as uow:
        sites = uow.column(Site.id)
        home, recovery = sites[0], sites[-1]
    a_server(core, "web1", home, "10.20.0.7")
    a_server(core, "web1-r4", recovery, "10.21.0.3")
    core.clock.advance(60)  # type: ignore[attr-defined]
    a_server(core, "web1-r4-r9", recovery, "10.21.0.5")
    with core.store.read() as uow:
        assert wanted(uow)[0].sentinels.write_url == "http://10.20.0.7:8080/notes?a=1"
    with core.store.write() as uow:
        uow.need(ProtectionPlan, plan_id).active_site_id = recovery
    with core.store.read() as uow:
        assert wanted(uow)[0].sentinels.write_url == "http://10.21.0.5:8080/notes?a=1"
