"""The vault of a lab's site: three accounts of least right, and a stores.yaml that the product takes."""

import json
from pathlib import Path

import pytest

from cloudctl.ports import Purpose
from lab import bringup, vaults
from lab.compute import REMEMBERED
from lab.credentials import VAULT_ACCOUNTS, Credentials
from lab.layout import Layout
from lab.sites import plan
from provisioning.drivers.stores_file import read_stores

SITES = plan(1)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "lab")
    bringup.render(bringup.Blueprint(made, SITES, Credentials(made.credentials, SITES), REMEMBERED))
    return made


def actions_of(purpose: str, effect: str = "Allow") -> set[str]:
    who = f"arn:aws:iam:::user/{vaults.user_of(purpose)}"
    return {
        action.removeprefix("s3:")
        for statement in vaults.policy()["Statement"]
        if (statement["Principal"]["AWS"], statement["Effect"]) == ([who], effect)
        for action in statement["Action"]
    }


def test_who_writes_can_neither_read_nor_delete_and_who_expires_can_only_delete_versions() -> None:
    assert actions_of("write") == {"PutObject", "PutObjectRetention", "AbortMultipartUpload"}
    assert actions_of("expire") == {"DeleteObjectVersion"}
    assert not [action for action in actions_of("read") if not action.startswith(("Get", "List"))]
    assert "*" not in json.dumps([s["Principal"] for s in vaults.policy()["Statement"]])


def test_who_writes_an_object_owns_it_and_may_all_the_same_neither_read_open_nor_hold_it() -> None:
    denied = actions_of("write", "Deny")
    assert denied >= {
        "GetObject",
        "GetObjectVersion",
        "PutObjectAcl",
        "PutObjectLegalHold",
        "DeleteObjectVersion",
    }
    assert not denied & actions_of("write")


def test_nobody_of_the_three_may_bypass_a_lock_or_change_the_bucket() -> None:
    given = set().union(*(actions_of(purpose.value) for purpose in Purpose))
    assert not [
        action for action in given if "Bypass" in action or action.startswith(("PutBucket", "DeleteBucket"))
    ]
    assert "PutObjectLegalHold" not in given


def test_stores_yaml_is_taken_by_the_product_with_a_key_for_each_purpose_and_site(layout: Layout) -> None:
    found = read_stores(layout.stores_yaml)
    assert set(found) == {"province", "city-1"}
    keys = []
    for site in found.values():
        assert site.vault is not None
        assert site.native is not None
        assert (site.vault_bucket, site.native_bucket) == (vaults.BUCKET, vaults.NATIVE_BUCKET)
        keys += [access.secret_key for access in site.vault.values()]
    assert len(set(keys)) == len(Purpose) * len(SITES)
    assert layout.stores_yaml.stat().st_mode & 0o777 == 0o600


def test_the_bucket_of_the_backups_is_the_one_that_cinder_writes_to(layout: Layout) -> None:
    conf = (layout.site(SITES[0]).etc / "cinder.conf").read_text()
    assert f"backup_s3_store_bucket = {vaults.NATIVE_BUCKET}\n" in conf


def test_the_owners_key_stays_in_the_lab(layout: Layout) -> None:
    secret = Credentials(layout.credentials, SITES).of(SITES[0])
    assert secret.vault_key("owner")[1] not in layout.stores_yaml.read_text()
    assert len({secret.vault_key(account) for account in VAULT_ACCOUNTS}) == len(VAULT_ACCOUNTS)
