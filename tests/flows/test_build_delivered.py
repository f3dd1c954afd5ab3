"""What a build delivers, with how many calls, and what it leaves alone because it is somebody else's."""

from cloudctl.errors import (
    CloudRejected,
)
from cloudctl.models import QuotaRow, Site
from cloudctl.ports import CloudProject
from provisioning import naming
from tests.flows.building import PROJECT, World, a_request, a_vm_draft
from tests.flows.interfering import after_first, steps

# -- delivered


def test_three_servers_with_a_tebibyte_are_delivered_with_all_one_needs_to_get_in(world: World) -> None:
    request_id, operation_id = a_request(world, a_vm_draft(3, (171, 170)))
    operation = world.work(operation_id)
    world.assert_exactly(request_id, servers=3, volumes=9, ports=3)
    delivered = operation.scratch["delivered"]
    first = delivered["servers"][0]
    assert first["connect"] == f"ssh debian@{first['addresses']['ipv4'][0]}"
    assert first["addresses"]["ipv6"][0].startswith("fd00:1:1::")
    assert delivered["contact"] == [{"name": "陈凯", "phone": None}]
    assert sum(volume["size_gib"] for volume in delivered["volumes"]) == 3 * (171 + 170 + 10)
    assert operation.progress_done == operation.progress_total == 16
    servers = world.resources(request_id, "server")
    assert all(row.addresses["ipv4"] and row.active_at for row in servers)
    assert steps(world, operation_id) == dict.fromkeys(
        ("plan", "project", "quota", "ground", "deliver"), "done"
    )


def test_a_build_makes_no_more_calls_than_it_needs(world: World) -> None:
    _, operation_id = a_request(world, a_vm_draft(3))
    world.work(operation_id)
    counts = world.cloud.counts()
    assert {name: n for name, n in counts.items() if name.startswith("create_")} == {
        "create_domain": 2,  # one was there before
        "create_project": 1,
        "create_port": 3,
        "create_server": 3,
        "create_volume": 9,
    }
    assert counts["set_quota"] == counts["get_quota"] == counts["ensure_own_access"] == 1
    assert counts["list_ports"] == 1
    assert counts["list_volumes"] + counts["list_servers"] <= 6


def test_the_second_request_of_a_project_finds_domain_and_project_bound(world: World) -> None:
    world.work(a_request(world)[1])
    before = world.cloud.counts()
    request_id, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    after = world.cloud.counts()
    assert all(after[name] == before[name] for name in ("find_domain", "list_projects", "create_project"))
    assert len(world.cloud.state.servers) == 4
    assert {row.state for row in world.resources(request_id)} == {"active"}


def test_the_clouds_quota_is_what_was_granted_and_read_back(world: World) -> None:
    _, operation_id = a_request(world)
    world.work(operation_id)
    project = world.project()
    held = world.cloud.state.quotas[str(project.external_id)]
    assert held.as_json() == project.quota_pushed
    assert project.quota_pushed["instances"] == 2
    assert project.quota_pushed["volume_gib"] == 2 * (10 + 10 + 20)


def test_a_limit_of_the_project_is_what_the_cloud_gets(world: World) -> None:
    _, operation_id = a_request(world)
    with world.core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_id == PROJECT, QuotaRow.kind == "instances", limit=50)
        uow.update(QuotaRow, QuotaRow.scope_id == PROJECT, QuotaRow.kind == "vcpus", limit=1)
    world.work(operation_id)
    assert world.project().quota_pushed["instances"] == 50
    assert world.project().quota_pushed["vcpus"] == 2  # never less than what is granted


def test_a_ledger_that_moves_during_the_push_is_pushed_again(world: World) -> None:
    _, operation_id = a_request(world)

    def more() -> None:
        a_request(world)

    after_first(world, "set_quota", more)
    world.work(operation_id)
    assert world.cloud.count("set_quota") == 2
    assert world.project().quota_pushed["instances"] == 4


def test_a_site_with_one_domain_for_all_needs_that_domain(world: World) -> None:
    with world.core.store.write() as uow:
        site = uow.need(Site, "province")
        site.domain_policy, site.domain_name = "single", "gov"
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "failed"
    assert "gov" in (world.operation(operation_id).error_message or "")
    world.cloud.create_domain("gov", "")
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert world.cloud.count("create_domain") == 2


# -- somebody else's


def test_a_strangers_project_of_that_name_is_left_alone_and_ours_gets_a_second_name(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    strange = world.cloud.create_project(domain.id, "gx-finance-budget-prod", "", [])
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    bound = world.project().external_id
    assert bound is not None
    assert bound != strange.id
    name, second = naming.projects("gx-finance-budget-prod", "test-installation")
    assert (strange.name, world.cloud.state.projects[bound].name) == (name, second)
    assert world.cloud.state.projects[strange.id] == CloudProject(strange.id, name, domain.id)


def test_where_both_names_are_taken_the_way_out_is_said(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    for name in naming.projects("gx-finance-budget-prod", "test-installation"):
        world.cloud.create_project(domain.id, name, "", [])
    _, operation_id = a_request(world)
    operation = world.work(operation_id)
    assert (operation.state, operation.error_code) == ("failed", "cloud_conflict")
    assert "project adopt" in (operation.error_message or "")


def test_a_project_that_this_installation_made_and_forgot_is_adopted(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    tags = naming.labels(naming.tags("test-installation", "gx-finance-budget", 99))
    project = world.cloud.create_project(domain.id, "gx-finance-budget-prod", "", tags)
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert world.project().external_id == project.id


def test_what_others_have_in_the_project_survives_an_undo(world: World) -> None:
    first, operation_id = a_request(world)
    world.work(operation_id)
    world.cloud.fail("create_server", nth=2, error=CloudRejected("no"), times=99)
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "failed"
    world.assert_exactly(first, servers=2, volumes=6, ports=2)
    assert world.project().state == "active"
