"""What every Dns does, run on the one in memory, on BIND and on PowerDNS."""

import uuid
from collections import Counter
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import pytest
import yaml

from cloudctl.errors import Conflict, NameServiceRefused, NameServiceUnavailable
from cloudctl.ports import Dns, RecordSet
from cloudctl.ports.dns import LUA
from provisioning.drivers.fake_dns import FakeDns
from provisioning.drivers.rfc2136_dns import Rfc2136Dns
from tests.nameservers import NameServer, bind, powerdns

__all__ = ["bind", "powerdns"]  # fixtures from elsewhere


@pytest.fixture(params=["fake", "bind", "powerdns"])
def service(request: pytest.FixtureRequest) -> Dns:
    if request.param == "fake":
        return FakeDns()
    return Rfc2136Dns(request.getfixturevalue(request.param).file)


@pytest.fixture(params=["fake", "powerdns"])
def sharing(request: pytest.FixtureRequest) -> Dns:
    """One that answers by shares."""
    if request.param == "fake":
        return FakeDns()
    return Rfc2136Dns(request.getfixturevalue("powerdns").file)


@pytest.fixture(params=["fake", "bind"])
def whole(request: pytest.FixtureRequest) -> Dns:
    """One that does not."""
    if request.param == "fake":
        return FakeDns(gives_shares=False)
    return Rfc2136Dns(request.getfixturevalue("bind").file)


@pytest.fixture
def name() -> str:
    return f"app-{uuid.uuid4().hex[:8]}.gov.test."


def a(name: str, *values: str, ttl_s: int = 30) -> RecordSet:
    return RecordSet(name, "A", ttl_s, values)


def lua(name: str, *weights: int) -> RecordSet:
    picks = ",".join(f"{{{weight},'10.0.0.{place}'}}" for place, weight in enumerate(weights, 1))
    return RecordSet(name, LUA, 5, (f'A "pickwhashed({{{picks}}})"',))


def test_a_name_without_records_has_none(service: Dns, name: str) -> None:
    assert service.read(name, "A") is None
    assert service.read(name, "TXT") is None


def test_what_is_put_reads_back_in_the_order_of_the_text(service: Dns, name: str) -> None:
    six = RecordSet(name, "AAAA", 20, ("2001:db8::2", "2001:db8::1"))
    text = RecordSet(f"_shares.{name}", "TXT", 20, ('"v=1" "city-1=25 province=75"',))
    service.replace([], [a(name, "10.0.0.2", "10.0.0.1"), six, text])
    assert service.read(name, "A") == a(name, "10.0.0.1", "10.0.0.2")
    assert service.read(name, "AAAA") == RecordSet(name, "AAAA", 20, ("2001:db8::1", "2001:db8::2"))
    assert service.read(f"_shares.{name}", "TXT") == text


def test_one_update_takes_one_set_away_and_brings_another(service: Dns, name: str) -> None:
    service.replace([], [a(name, "10.0.0.1"), RecordSet(name, "AAAA", 30, ("2001:db8::1",))])
    service.replace(
        [a(name, "10.0.0.1"), RecordSet(name, "AAAA", 30, ("2001:db8::1",))], [a(name, "10.0.0.2", ttl_s=7)]
    )
    assert service.read(name, "A") == a(name, "10.0.0.2", ttl_s=7)
    assert service.read(name, "AAAA") is None


def test_whoever_read_something_older_changes_nothing(service: Dns, name: str) -> None:
    service.replace([], [a(name, "10.0.0.1", "10.0.0.9")])
    with pytest.raises(Conflict):
        service.replace([a(name, "10.0.0.1")], [a(name, "10.0.0.2")])
    with pytest.raises(Conflict):
        service.replace([], [a(name, "10.0.0.2")])
    text = RecordSet(name, "TXT", 30, ('"x"',))
    with pytest.raises(Conflict):
        service.replace([a(name, "10.0.0.1", "10.0.0.9"), text], [a(name, "10.0.0.2")])
    assert service.read(name, "A") == a(name, "10.0.0.1", "10.0.0.9")


def test_the_same_on_both_sides_only_compares(service: Dns, name: str) -> None:
    service.replace([], [a(name, "10.0.0.1")])
    service.replace([a(name, "10.0.0.1", ttl_s=5)], [a(name, "10.0.0.1", ttl_s=5)])
    with pytest.raises(Conflict):
        service.replace([a(name, "10.0.0.3")], [a(name, "10.0.0.3")])
    assert service.read(name, "A") is not None


def test_addresses_never_stand_beside_an_alias(service: Dns, name: str) -> None:
    service.replace([], [RecordSet(name, "CNAME", 30, ("other.gov.test.",))])
    with pytest.raises(Conflict):
        service.replace([], [a(name, "10.0.0.1")])
    assert service.read(name, "CNAME") is not None


def test_everything_can_go_again(service: Dns, name: str) -> None:
    service.replace([], [a(name, "10.0.0.1")])
    service.replace([a(name, "10.0.0.1")], [])
    assert service.read(name, "A") is None


def test_the_case_of_a_name_makes_no_difference(service: Dns, name: str) -> None:
    service.replace([], [a(name, "10.0.0.1")])
    found = service.read(name.upper(), "A")
    assert found is not None
    assert found.values == ("10.0.0.1",)


def test_a_name_of_no_zone_is_refused(service: Dns) -> None:
    for ask in (
        lambda: service.read("app.nowhere.test.", "A"),
        lambda: service.gives_shares("app.nowhere.test."),
        lambda: service.replace([], [a("app.nowhere.test.", "10.0.0.1")]),
    ):
        with pytest.raises(NameServiceRefused) as refused:
            ask()
        assert not refused.value.retry


def test_a_script_is_never_read(service: Dns, name: str) -> None:
    with pytest.raises(NameServiceRefused):
        service.read(name, LUA)


def test_shares_are_compared_before_they_are_replaced(sharing: Dns, name: str) -> None:
    assert sharing.gives_shares(name)
    sharing.replace([], [lua(name, 99, 1)])
    sharing.replace([lua(name, 99, 1)], [lua(name, 99, 1)])
    with pytest.raises(Conflict):
        sharing.replace([lua(name, 95, 5)], [lua(name, 75, 25)])
    with pytest.raises(Conflict):
        sharing.replace([], [lua(name, 75, 25)])
    sharing.replace([lua(name, 99, 1)], [a(name, "10.0.0.2")])
    assert sharing.read(name, "A") == a(name, "10.0.0.2")
    sharing.replace([a(name, "10.0.0.2")], [lua(name, *range(1, 41))])  # longer than one string
    sharing.replace([lua(name, *range(1, 41))], [])


def test_one_without_shares_says_so(whole: Dns, name: str) -> None:
    assert not whole.gives_shares(name)


# -- what only real servers can show


def answers(server: NameServer, name: str, kind: str, askers: int) -> list[str]:
    """The one answer of each asker, told apart by the subnet its resolver hands on."""
    found = []
    for number in range(askers):
        subnet = dns.edns.ECSOption(f"100.{64 + number // 250}.{number % 250}.0", 24)
        question = dns.message.make_query(name, kind, use_edns=0, options=[subnet])
        answer = dns.query.udp(question, "127.0.0.1", port=server.port, timeout=5)
        [record] = answer.answer[0]
        found.append(record.to_text())
    return found


@pytest.mark.parametrize("askers", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_an_asker_who_was_moved_stays_moved_while_the_share_grows(
    powerdns: NameServer, name: str, askers: int
) -> None:
    service, before = Rfc2136Dns(powerdns.file), lua(name, 100, 0)
    service.replace([], [before])
    moved: set[int] = set()
    for share in (1, 5, 25, 50, 100):
        after = lua(name, 100 - share, share)
        service.replace([before], [after])
        now = {i for i, one in enumerate(answers(powerdns, name, "A", askers)) if one == "10.0.0.2"}
        assert moved <= now, "somebody went back"
        drawn = 5 * (askers * share * (100 - share)) ** 0.5 / 100  # five deviations of fair draws
        assert abs(len(now) - askers * share / 100) <= max(drawn, 3)
        moved, before = now, after
    assert len(moved) == askers


def test_both_families_lead_an_asker_to_one_site(powerdns: NameServer, name: str) -> None:
    both = (
        "A \"pickwhashed({{40,'10.0.0.1'},{60,'10.0.0.2'}})\"",
        ("AAAA \"pickwhashed({{40,'2001:db8::1'},{60,'2001:db8::2'}})\""),
    )
    Rfc2136Dns(powerdns.file).replace([], [RecordSet(name, LUA, 5, both)])
    four, six = (answers(powerdns, name, kind, 60) for kind in ("A", "AAAA"))
    assert [one[-1] for one in four] == [one[-1] for one in six]
    assert len(Counter(four)) == 2


@pytest.mark.parametrize("server", ["bind", "powerdns"])
def test_a_zone_that_takes_no_changes_refuses_them(server: str, request: pytest.FixtureRequest) -> None:
    service = Rfc2136Dns(request.getfixturevalue(server).file)
    with pytest.raises(NameServiceRefused):
        service.replace([], [a("app.shut.test.", "10.0.0.1")])


@pytest.mark.parametrize("server", ["bind", "powerdns"])
def test_a_wrong_key_is_refused_and_never_shown(
    server: str, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    rows = yaml.safe_load(request.getfixturevalue(server).file.read_text())
    wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
    rows["zones"][0]["key"]["secret"] = wrong
    file = tmp_path / "dns.yaml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(rows))
    with pytest.raises(NameServiceRefused) as refused:
        Rfc2136Dns(file).replace([], [a(name, "10.0.0.1")])
    assert wrong not in str(refused.value)


def test_a_server_that_is_away_may_come_back(bind: NameServer, tmp_path: Path, name: str) -> None:
    file = tmp_path / "dns.yaml"
    rows = yaml.safe_load(bind.file.read_text())
    rows["zones"][0]["port"] = 1
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(rows))
    with pytest.raises(NameServiceUnavailable) as away:
        Rfc2136Dns(file).read(name, "A")
    assert away.value.retry
    file.write_text(bind.file.read_text())
    assert Rfc2136Dns(file).read(name, "A") is None
