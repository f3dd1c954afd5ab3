"""What a lab has beside its clouds: chosen once, remembered, at the places where it belongs."""

from pathlib import Path

import pytest

from lab import Lab, bringup, certificates, extras, packages, witness
from lab.commands import run
from lab.compute import REMEMBERED
from lab.credentials import Credentials
from lab.layout import Layout
from lab.sites import THIRD, Site, plan
from lab.steps import order


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def steps_of(layout: Layout, places: tuple[Site, ...]) -> list[str]:
    credentials = Credentials(layout.credentials, plan(1))
    blueprint = bringup.Blueprint(layout, plan(1), credentials, REMEMBERED, extras.chosen(layout))
    return order(bringup.all_steps(blueprint, places))


def test_a_lab_has_nothing_beside_its_clouds_unless_asked(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "missing", lambda names: [])
    extras.choose(layout, [])
    assert extras.chosen(layout) == ()
    assert not layout.extras_mark.exists()
    assert extras.places((), plan(2)) == plan(2)
    assert not [name for name in steps_of(layout, plan(1)) if "witness" in name or "third" in name]


def test_what_was_asked_for_stays(layout: Layout) -> None:
    extras.choose(layout, ["witness"])
    extras.choose(layout, [])
    assert extras.chosen(layout) == ("witness",)


def test_the_third_place_shares_nothing_with_a_second_city() -> None:
    assert THIRD.address not in {site.address for site in plan(2)}
    assert not THIRD.is_cloud
    assert all(site.is_cloud for site in plan(2))
    assert len(THIRD.host_link) <= 15


def test_a_member_is_at_each_of_three_places_and_no_more(layout: Layout) -> None:
    extras.choose(layout, ["witness"])
    places = extras.places(extras.chosen(layout), plan(2))
    having = [place.name for place in places if extras.daemons_at(layout, place)[-1].name == witness.SERVICE]
    assert [place.name for place in places] == ["province", "city-1", "city-2", "third"]
    assert having == ["province", "city-1", "third"]
    assert [one.name for one in extras.daemons_at(layout, THIRD)] == [witness.SERVICE]


def test_the_witness_is_asked_when_every_member_has_started(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "missing", lambda names: [])
    extras.choose(layout, ["witness"])
    names = steps_of(layout, extras.places(("witness",), plan(1)))
    for place in ("province", "city-1", "third"):
        assert names.index(f"{place}/cable") < names.index(f"{place}/witness") < names.index("witness")


def test_a_member_that_lost_its_data_comes_back_as_a_new_one(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    province, city = plan(1)
    layout.site(province).make()
    layout.witness.mkdir()
    asked: list[tuple[str, object]] = []

    def answer(_: Layout, path: str, body: object, but: Site | None = None) -> object:
        assert but == province
        asked.append((path, body))
        peers = [[f"https://{place.address}:2380"] for place in (province, city, THIRD)]
        return {"members": [{"ID": str(number), "peerURLs": urls} for number, urls in enumerate(peers)]}

    monkeypatch.setattr(witness, "_ask_any", answer)
    witness.prepare(layout, province)
    assert asked == []
    assert "--initial-cluster-state=new" in witness.services(layout, province)[0].argv
    (layout.site(city).data / "etcd").mkdir(parents=True)
    witness.prepare(layout, province)
    assert asked[1:] == [
        ("cluster/member/remove", {"ID": "0"}),
        ("cluster/member/add", {"peerURLs": ["https://10.101.1.2:2380"]}),
    ]
    assert "--initial-cluster-state=existing" in witness.services(layout, province)[0].argv


def test_certificates_are_signed_by_the_labs_authority_and_made_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        certificates.create_authority(tmp_path / "made", log)
        certificates.create(tmp_path / "made", "third", ["10.101.9.2"], log)
    made = tmp_path / "made"
    said = run(["openssl", "verify", "-CAfile", str(made / "ca.pem"), str(made / "third.pem")], log=log)
    assert said.endswith("OK\n")
    shown = run(["openssl", "x509", "-noout", "-text", "-in", str(made / "third.pem")], log=log)
    assert "IP Address:10.101.9.2" in shown
    assert "Client Authentication" in shown
    assert (made / "third.key").stat().st_mode & 0o077 == 0
    assert log.read_text().count("openssl x509 -req") == 1


def test_only_files_that_are_there_are_told_of(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert lab.made == []
    (tmp_path / "witness.yaml").touch()
    assert lab.made == [tmp_path / "witness.yaml"]
