"""stores.yaml: read as a whole, every fault at once, no key ever shown; followed when it changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudctl.config import Settings
from cloudctl.errors import CloudForbidden, Misconfigured
from cloudctl.ports import Purpose
from provisioning.drivers.s3_stores import S3Stores
from provisioning.drivers.stores_file import read_stores


def key(name: str) -> dict[str, str]:
    return {"access_key": name, "secret_key": f"hush-{name}"}


def entry() -> dict[str, Any]:
    vault = {"bucket": "vault", "write": key("w"), "read": key("r"), "expire": key("e")}
    native = {"bucket": "volumebackups", **key("n")}
    return {"endpoint": "http://10.0.0.1:7480", "native": native, "vault": vault, "buckets": key("b")}


def written(path: Path, document: object, mode: int = 0o600) -> Path:
    path.write_text(yaml.safe_dump(document))
    path.chmod(mode)
    return path


def stores_of(path: Path) -> S3Stores:
    return S3Stores(Settings(home=path.parent, installation="here"))


def test_each_purpose_has_a_bucket_and_a_credential_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "stores.yaml", {"stores": {"city-1": entry()}})
    found = read_stores(path)["city-1"]
    assert found.vault is not None
    assert found.native is not None
    keys = {purpose: access.access_key for purpose, access in found.vault.items()}
    assert keys == {Purpose.WRITE: "w", Purpose.READ: "r", Purpose.EXPIRE: "e"}
    assert (found.vault_bucket, found.native_bucket, found.native.verify) == ("vault", "volumebackups", True)
    assert "hush" not in repr(found)


def test_who_restores_buckets_is_another_than_who_reads_them(tmp_path: Path) -> None:
    told = entry() | {"buckets": {**key("b"), "restore": key("m")}}
    path = written(tmp_path / "stores.yaml", {"stores": {"city-1": told, "province": entry()}})
    found = read_stores(path)["city-1"]
    assert found.buckets is not None
    assert found.restoring is not None
    assert (found.buckets.access_key, found.restoring.access_key) == ("b", "m")
    stores = stores_of(path)
    assert stores.restored("city-1", "files").bucket == "files"
    with pytest.raises(Misconfigured) as refused:
        stores.restored("province", "files")
    assert "buckets.restore" in refused.value.text()
    for name in ("vault", "volumebackups"):
        with pytest.raises(CloudForbidden):
            stores.bucket("city-1", name)
        with pytest.raises(CloudForbidden):
            stores.make_bucket("city-1", name)


def test_every_fault_is_told_at_once_and_no_key_with_it(tmp_path: Path) -> None:
    bad = entry() | {"endpoint": "10.0.0.1", "ca": "/no/such/file", "speed": 3}
    del bad["native"]["access_key"]
    bad["vault"]["read"] = key("w")
    bad["vault"]["expire"] = "hush"
    path = written(tmp_path / "stores.yaml", {"stores": {"city-1": bad}}, mode=0o640)
    with pytest.raises(Misconfigured) as refused:
        read_stores(path)
    told = {(fault.place.partition(": ")[2], fault.code) for fault in refused.value.faults}
    assert told == {
        ("", "too_open"),
        ("stores.city-1.endpoint", "bad_value"),
        ("stores.city-1.ca", "no_file"),
        ("stores.city-1.speed", "unknown_key"),
        ("stores.city-1.native.access_key", "missing"),
        ("stores.city-1.vault", "same_key"),
        ("stores.city-1.vault.expire", "not_a_mapping"),
    }
    assert "hush" not in " ".join(str(fault) for fault in refused.value.faults)


@pytest.mark.parametrize("text", ["stores: [", "hush-key: : :", "", "stores: {}", "- a"])
def test_what_is_no_such_file_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stores.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Misconfigured) as refused:
        read_stores(path)
    assert refused.value.faults
    assert "hush" not in refused.value.text() + " ".join(str(fault) for fault in refused.value.faults)


def test_without_the_file_no_site_has_a_vault_and_asking_for_one_says_why(tmp_path: Path) -> None:
    stores = stores_of(tmp_path / "stores.yaml")
    assert stores.sites() == []
    with pytest.raises(Misconfigured) as refused:
        stores.vault("city-1", Purpose.READ)
    assert refused.value.faults[0].code == "no_file"


def test_what_a_site_does_not_have_is_named(tmp_path: Path) -> None:
    half = {"endpoint": "http://10.0.0.1:7480", "native": {"bucket": "volumebackups", **key("n")}}
    path = written(tmp_path / "stores.yaml", {"stores": {"province": half, "city-1": entry()}})
    stores = stores_of(path)
    assert stores.sites() == ["city-1"]
    assert stores.native("province").bucket == "volumebackups"
    assert stores.native("province", "elsewhere").bucket == "elsewhere"
    for ask in (lambda: stores.vault("province", Purpose.READ), lambda: stores.bucket("nowhere", "x")):
        with pytest.raises(Misconfigured, match=r"site '(province|nowhere)'"):
            ask()


def test_a_rotated_key_is_used_without_a_restart(tmp_path: Path) -> None:
    path = written(tmp_path / "stores.yaml", {"stores": {"city-1": entry()}})
    stores = stores_of(path)
    first = stores.vault("city-1", Purpose.WRITE)
    assert stores.vault("city-1", Purpose.WRITE)._s3 is first._s3  # type: ignore[attr-defined]  # kept
    changed = entry()
    changed["vault"]["write"] = key("new")
    fresh = written(tmp_path / "fresh.yaml", {"stores": {"city-1": changed}})
    fresh.replace(path)
    after = stores.vault("city-1", Purpose.WRITE)
    assert after._s3 is not first._s3  # type: ignore[attr-defined]
