"""Settings: defaults that work on one machine, and every fault of the file at once."""

from pathlib import Path

import pytest

from cloudctl import config
from cloudctl.errors import Misconfigured

HOME = Path("/somewhere")


def faults_of(document: object) -> list[tuple[str, str]]:
    with pytest.raises(Misconfigured) as caught:
        config.parse(HOME, document)
    return [(fault.place, fault.code) for fault in caught.value.faults]


def test_an_id_is_all_that_must_be_said() -> None:
    settings = config.parse(HOME, {"installation": "abc"})
    assert settings.database_url == "sqlite:////somewhere/cloudctl.db"
    assert settings.broker == ""
    assert settings.listen_host == "127.0.0.1"
    assert settings.cloud_timeout_s < settings.lease_s


def test_every_fault_of_the_file_is_named_at_once() -> None:
    document = {"listen_prot": 80, "listen_port": "80", "poll_s": 0, "lease_s": 5, "cloud_timeout_s": 10}
    assert faults_of(document) == [
        ("cloudctl.yaml: listen_prot", "unknown_key"),
        ("cloudctl.yaml: listen_port", "bad_type"),
        ("cloudctl.yaml: poll_s", "not_positive"),
        ("cloudctl.yaml: installation", "missing"),
        ("cloudctl.yaml: cloud_timeout_s", "too_long"),
    ]


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_what_is_no_mapping_is_refused(document: object) -> None:
    assert faults_of(document) == [("cloudctl.yaml", "not_a_mapping")]


@pytest.mark.parametrize("value", [True, "10", None, [10]])
def test_a_number_is_a_number(value: object) -> None:
    assert faults_of({"installation": "abc", "lease_s": value}) == [("cloudctl.yaml: lease_s", "bad_type")]


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    assert config.parse(HOME, {"installation": "abc", "poll_s": 2}).poll_s == 2.0


def test_the_home_cannot_be_set_from_inside() -> None:
    assert faults_of({"installation": "abc", "home": "/elsewhere"}) == [
        ("cloudctl.yaml: home", "unknown_key")
    ]


def test_a_home_that_was_never_set_up_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        config.load(tmp_path)
    assert "cloudctl init" in caught.value.faults[0].text()


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"a: 1\n\tb: 2"])
def test_a_file_that_cannot_be_read_is_a_fault_and_no_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / config.FILE_NAME).write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        config.load(tmp_path)
    assert caught.value.faults[0].code == "unreadable"


def test_the_home_is_where_the_environment_says() -> None:
    assert config.home_directory({"CLOUDCTL_HOME": "/srv/cloudctl"}) == Path("/srv/cloudctl")
    assert config.home_directory({}) == Path.home() / ".cloudctl"


def test_the_clouds_of_the_home_come_before_openstacks_own(tmp_path: Path) -> None:
    settings = config.parse(tmp_path, {"installation": "abc"})
    assert settings.clouds_file is None
    (tmp_path / "clouds.yaml").touch()
    assert settings.clouds_file == tmp_path / "clouds.yaml"
