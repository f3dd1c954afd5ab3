"""What a plan says of agents and fences, and how readiness tells which servers have no agent."""

from dataclasses import replace
from datetime import UTC, datetime

from cloudctl.lifecycle import PlanHealth, PlanState
from dr.plans.document import Fencing, Serving, Way, of_json
from dr.plans.health import Health
from dr.plans.known import ServerFacts, WitnessFacts, without_agents
from dr.plans.read import read
from dr.plans.readiness import PlanFacts, assess
from dr.plans.writing import written
from tests.planning import a_document, a_plan_file
from tests.unit.test_plan_judging import HOME, RECOVERY, a_known

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WELL = Health(PlanHealth.PROTECTED, (), 1.0)


def test_what_writes_and_what_may_be_stopped_is_kept_and_written_out_again() -> None:
    parts = [{"name": "db", "servers": ["vm1"], "writers": ["postgresql@15-main.service"]}]
    document = a_document(parts=parts, checks=[], fence={"stop_servers": True})
    assert document.parts[0].writers == ("postgresql@15-main.service",)
    assert document.fence == Fencing(stop_servers=True)
    assert of_json(document.as_json()) == document
    again, faults = read(written(document))
    assert (again, faults) == (document, [])


def test_nothing_is_stopped_and_nothing_written_where_nothing_is_told() -> None:
    document = a_document()
    assert document.fence == Fencing(stop_servers=False)
    assert "fence" not in written(document)
    assert all(not one.writers for one in document.parts)


def test_a_program_takes_the_place_of_units_and_stands_alone() -> None:
    def faults(*writers: str) -> list[str]:
        parts = [{"name": "db", "servers": ["vm1"], "writers": list(writers)}]
        return [one.code for one in read(a_plan_file(parts=parts, checks=[]))[1]]

    assert faults("/usr/local/sbin/guest-writers") == []
    assert faults("/usr/local/sbin/guest-writers", "app.service") == ["contradiction"]
    assert faults("/bin/sh -c reboot") == faults("/") == faults("/etc/../$(id)") == ["bad_unit"]


def test_what_is_no_unit_or_no_answer_is_a_fault() -> None:
    parts = [{"name": "db", "servers": ["vm1"], "writers": ["postgresql", "a b.service", '";reboot.service']}]
    _, faults = read(a_plan_file(parts=parts, checks=[], fence={"stop_servers": "yes", "reboot": True}))
    found = {one.place: one.code for one in faults}
    assert found == {
        **{f"parts[0].writers[{index}]": "bad_unit" for index in range(3)},
        "fence.stop_servers": "bad_flag", "fence.reboot": "unknown_key",
    }  # fmt: skip


def named(name: str, label: str = "") -> ServerFacts:
    [first, *_] = a_known().servers
    return replace(first, name=name, label=label)


def test_each_server_that_can_write_and_has_no_agent_is_told_with_the_way_to_get_one() -> None:
    document = a_document()
    servers = [name for part in document.parts for name in part.servers]
    known = a_known(witness=WitnessFacts("", 3, 3, HOME, 4, agents={HOME: (servers[0],)}))
    missing = without_agents(document, known)
    assert (HOME, servers[0]) not in missing
    assert {name for _, name in missing} == set(servers[1:])
    notes = assess(document, PlanFacts(PlanState.VERIFIED, NOW), known, WELL).notes
    told = [one for one in notes if one.code == "no_agent"]
    assert [one.params["name"] for one in told] == servers[1:]
    assert f"cloudctl dr witness install {document.name}" in told[0].text()


def test_a_server_that_a_restore_made_has_the_agent_of_its_plan_name() -> None:
    document = a_document()
    first = document.parts[0].servers[0]
    known = a_known(
        servers=(named(f"{first}-r7"),), witness=WitnessFacts("", 3, 3, HOME, 4, agents={HOME: (first,)})
    )
    assert without_agents(document, known) == []


def test_without_a_witness_or_an_answer_nothing_is_said_of_agents() -> None:
    assert without_agents(a_document(), a_known(witness=None)) == []
    assert without_agents(a_document(), a_known(witness=WitnessFacts("no majority", 3, 1))) == []


def test_what_stands_ready_at_the_other_site_needs_its_agent_there() -> None:
    first, *rest = a_document().parts
    ready = replace(first, way=Way.APPLICATION, serving=Serving.READ_ANYWHERE, writers=("db.service",))
    document = replace(a_document(), parts=(ready, *rest))
    everyone = tuple(name for part in document.parts for name in part.servers)
    known = a_known(
        standing=(named(first.servers[0]),),
        witness=WitnessFacts("", 3, 3, HOME, 4, agents={HOME: everyone}),
    )
    assert without_agents(document, known) == [(RECOVERY, first.servers[0])]
