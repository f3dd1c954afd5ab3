"""dns.yaml: read as a whole, refused with all its faults, and never quoted where it has a key."""

from pathlib import Path

import pytest
import yaml

from cloudctl.errors import Misconfigured
from provisioning.drivers.dns_file import read_masters

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MDA="


def write(file: Path, *rows: object, mode: int = 0o600) -> Path:
    file.write_text(yaml.safe_dump({"zones": list(rows)}))
    file.chmod(mode)
    return file


def test_a_zone_with_its_master(tmp_path: Path) -> None:
    row = {"zone": "Gov.Example", "server": "192.0.2.53", "gives": "shares",
           "key": {"name": "cloudctl", "secret": SECRET}}  # fmt: skip
    [found] = read_masters(write(tmp_path / "dns.yaml", row))
    assert (found.zone, found.port, found.key_name) == ("gov.example.", 53, "cloudctl.")
    assert (found.algorithm, found.gives_shares) == ("hmac-sha256", True)
    assert SECRET not in repr(found)


def test_all_faults_at_once_and_no_key_among_them(tmp_path: Path) -> None:
    rows = (
        {"zone": "a.", "server": "ns.example", "port": 0, "gives": "some", "colour": 1,
         "key": {"name": "k", "secret": "short", "algorithm": "md5"}},
        {"zone": "A", "server": "192.0.2.1", "key": []},
    )  # fmt: skip
    with pytest.raises(Misconfigured) as refused:
        read_masters(write(tmp_path / "dns.yaml", *rows, mode=0o644))
    places = [one.place.partition(": ")[2] for one in refused.value.faults]
    assert places == [
        "", "zones[0].colour", "zones[0].server", "zones[0].key.secret", "zones[0].port", "zones[0].gives",
        "zones[0].key.algorithm", "zones[1].key", "zones[1].key.secret", "zones[1].key.name", "zones",
    ]  # fmt: skip
    assert not any("short" in str(one) for one in refused.value.faults)


def test_what_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "dns.yaml"
    file.touch(mode=0o600)
    file.write_text(f"zones: [secret: {SECRET}\n")
    with pytest.raises(Misconfigured) as refused:
        read_masters(file)
    assert SECRET not in "".join(str(one) for one in refused.value.faults)


def test_a_file_that_is_missing_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_masters(tmp_path / "dns.yaml")
    assert [one.code for one in refused.value.faults] == ["no_file"]
