"""What a build does next, and what a teardown does next, from rows and one look at the cloud."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudctl.ports import TAG_INSTALLATION, TAG_RESOURCE, Port, Server, Volume
from provisioning.reconcile import PAUSE_S, Row, Seen, Thing, decide, extras, kinds_to_list
from provisioning.teardown import decide as decide_drops

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
TRIED: dict[str, Any] = {"tried_at": NOW.isoformat()}
SPEC: dict[str, Any] = {"boot": "b", "data": ["d"], "port": "p"}


def row(kind: str, id_: str, state: str = "intended", external: str | None = None, **spec: Any) -> Row:
    return Row(id_, kind, f"name-{id_}", state, external, spec)


def tags(id_: str) -> dict[str, str]:
    return {TAG_INSTALLATION: "here", TAG_RESOURCE: id_}


def volume(id_: str, of: str, status: str = "available", server_ids: tuple[str, ...] = ()) -> Volume:
    return Volume(id_, f"name-{of}", status, 10, "project", "standard", tags(of), server_ids)


def server(id_: str, of: str, status: str = "ACTIVE", volume_ids: tuple[str, ...] = ()) -> Server:
    why = "No valid host was found" if status == "ERROR" else None
    return Server(id_, f"name-{of}", status, "project", "gov.small", tags(of), (), volume_ids, why)


def port(id_: str, of: str, device: str = "", is_tagged: bool = True) -> Port:
    marks = tags(of) if is_tagged else {}
    return Port(id_, f"name-{of}", "DOWN", "project", "net", ("10.20.0.5",), marks, device)


def seen(**by_kind: Sequence[Thing]) -> Seen:
    return Seen(by_kind)


def test_on_the_first_pass_nothing_is_looked_at_and_ports_and_volumes_are_started() -> None:
    rows = [
        row("port", "p"),
        row("volume", "b"),
        row("volume", "d"),
        row("server", "s", **SPEC),
    ]
    assert kinds_to_list(rows) == frozenset()
    assert set(decide(rows, seen(), NOW).start) == {"p", "b", "d"}


def test_without_group_and_key_no_server_is_started() -> None:
    rows = [row("port", "p", "active", "port1"), row("volume", "b", "active", "v1", **TRIED)]
    rows.append(row("server", "s", boot="b", data=[], port="p"))
    look = seen(volume=[volume("v1", "b")])
    assert decide(rows, look, NOW, has_ground=False).start == ()
    assert decide(rows, look, NOW, has_ground=True).start == ("s",)


def test_servers_are_started_first_and_then_server_by_server() -> None:
    def part(kind: str, name: str) -> Row:
        return Row(name, kind, name, "intended", None, {})

    rows = [part("port", f"x-vm{n}-port") for n in (1, 2, 10)]
    rows += [part("volume", f"x-vm{n}-boot") for n in (1, 2, 10)]
    rows.append(row("server", "s", boot="b", data=[], port="p"))
    rows += [row("port", "p", "active", "port1"), row("volume", "b", "active", "v1", **TRIED)]
    started = decide(rows, seen(volume=[volume("v1", "b")]), NOW).start
    assert started == (
        "s",
        *("x-vm1-boot", "x-vm1-port", "x-vm2-boot", "x-vm2-port", "x-vm10-boot", "x-vm10-port"),
    )


def test_what_was_tried_and_not_recorded_is_looked_for_and_adopted() -> None:
    rows = [row("volume", "b", **TRIED), row("volume", "d", **TRIED)]
    assert kinds_to_list(rows) == {"volume"}
    step = decide(rows, seen(volume=[volume("v1", "b", "creating")]), NOW)
    assert step.changes["b"].external_id == "v1"
    assert step.changes["b"].state == "building"
    assert step.start == ("d",)


def test_what_was_tried_is_not_started_again_without_a_look() -> None:
    rows = [row("volume", "b", **TRIED)]
    assert decide(rows, seen(), NOW).start == ()


def test_a_server_starts_the_moment_its_own_volumes_and_port_are_ready() -> None:
    rows = [
        row("port", "p", "active", "port1"),
        row("volume", "b", "building", "v1", **TRIED),
        row("volume", "d", "building", "v2", **TRIED),
        row("server", "s", **SPEC),
        row("volume", "other", "building", "v3", **TRIED),
    ]
    waiting = [volume("v1", "b"), volume("v2", "d", "creating"), volume("v3", "other", "creating")]
    assert decide(rows, seen(volume=waiting), NOW).start == ()
    ready = [volume("v1", "b"), volume("v2", "d"), volume("v3", "other", "creating")]
    assert decide(rows, seen(volume=ready), NOW).start == ("s",)


def test_once_all_servers_are_asked_for_only_servers_are_looked_at() -> None:
    rows = [
        row("volume", "b", "active", "v1", **TRIED),
        row("server", "s", "building", "s1", **TRIED, **SPEC),
    ]
    assert kinds_to_list(rows) == {"server"}


def test_a_port_without_tags_is_known_by_its_name_and_a_strangers_is_not() -> None:
    rows = [row("port", "p", **TRIED)]
    bare = port("port1", "p", is_tagged=False)
    assert decide(rows, seen(port=[bare]), NOW).changes["p"].external_id == "port1"
    foreign = Port("x", "name-p", "DOWN", "project", "net", (), {TAG_INSTALLATION: "there"})
    assert decide(rows, seen(port=[foreign]), NOW).start == ("p",)


def test_a_server_in_error_is_dropped_and_made_once_more_then_it_is_a_failure() -> None:
    rows = [row("server", "s", "building", "s1", boot="b", data=[], port="p", **TRIED)]
    rows += [row("volume", "b", "active", "v1"), row("port", "p", "active", "port1")]
    broken = seen(server=[server("s1", "s", "ERROR")], volume=[volume("v1", "b")])
    step = decide(rows, broken, NOW)
    assert step.drop == (("server", "s1"),)
    assert step.failure is None
    rows[0] = row("server", "s", "error", "s1", boot="b", data=[], port="p", **TRIED)
    gone = decide(rows, seen(server=[], volume=[volume("v1", "b")]), NOW)
    assert gone.changes["s"].attempt == 2
    assert gone.start == ()
    pause = timedelta(seconds=PAUSE_S[1])
    rows[0] = row("server", "s", "intended", None, boot="b", data=[], port="p", attempt=2, **TRIED)
    assert decide(rows, seen(server=[], volume=[volume("v1", "b")]), NOW + pause).start == ("s",)
    rows[0] = row("server", "s", "building", "s2", boot="b", data=[], port="p", attempt=2, **TRIED)
    last = decide(rows, seen(server=[server("s2", "s", "ERROR")]), NOW)
    assert last.drop == ()
    assert last.failure is not None
    assert "No valid host" in last.failure.text()


def test_two_of_one_are_seen_and_the_recorded_one_is_kept() -> None:
    rows = [row("volume", "b", "active", "v2", **TRIED)]
    both = seen(volume=[volume("v1", "b"), volume("v2", "b")])
    assert decide(rows, both, NOW).is_complete
    assert extras(rows, both) == [("volume", "v1")]


def test_a_lone_volume_is_ready_when_it_is_attached() -> None:
    rows = [row("volume", "b", "building", "v1", attach_to="s", **TRIED)]
    step = decide(rows, seen(volume=[volume("v1", "b")]), NOW)
    assert step.attach == ("b",)
    assert not step.is_complete
    assert decide(rows, seen(volume=[volume("v1", "b", "in-use", ("s1",))]), NOW).is_complete


def test_what_is_waited_for_is_said_in_words() -> None:
    rows = [row("volume", "a"), row("volume", "b"), row("server", "s", boot="a", data=["b"], port="p")]
    rows.append(row("port", "p", "active", "port1"))
    assert decide(rows, seen(), NOW).why == "2 volumes, 1 server"


# -- taking away


def test_servers_go_before_the_volumes_and_ports_they_use() -> None:
    doomed: dict[str, list[Thing]] = {
        "server": [server("s1", "s", "ACTIVE", ("v1",))],
        "volume": [volume("v1", "b", "in-use", ("s1",)), volume("v2", "d")],
        "port": [port("p1", "p", "s1"), port("p2", "q")],
    }
    drops = decide_drops(doomed)
    assert [(one.kind, one.external_id) for one in drops.now] == [
        ("server", "s1"),
        ("volume", "v2"),
        ("port", "p2"),
    ]
    assert drops.why == "1 server to go, 2 volumes to go, 2 ports to go"


def test_a_volume_whose_server_stays_is_detached_first() -> None:
    [drop] = decide_drops({"volume": [volume("v1", "b", "in-use", ("s1",))]}).now
    assert (drop.external_id, drop.server_id) == ("v1", "s1")


def test_a_volume_that_is_being_made_is_waited_for() -> None:
    drops = decide_drops({"volume": [volume("v1", "b", "creating")]})
    assert drops.now == ()
    assert not drops.is_gone
