"""What the lab's radosgw does and does not do, on which the vault rests; pinned, so that a change is seen."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloudctl.clock import SystemClock
from cloudctl.errors import VaultFull
from cloudctl.ports import Purpose
from lab import vaults
from lab.layout import Layout
from lab.sites import plan
from provisioning.drivers.s3_stores import S3Stores
from tests.contract.conftest import lab_settings
from tests.contract.vault_bench import HELD_S, VaultBench

pytestmark = pytest.mark.lab

PROVINCE = plan(1)[0]


@pytest.fixture
def vault() -> Iterator[VaultBench]:
    made = VaultBench(S3Stores(lab_settings()), PROVINCE.name, SystemClock().now)
    yield made
    made.clean()


@pytest.fixture
def narrow() -> Iterator[None]:
    """The province's vault has room for next to nothing."""
    layout = Layout(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    vaults.set_room(layout, PROVINCE, 1 << 20)
    yield
    vaults.set_room(layout, PROVINCE, vaults.ROOM_BYTES)


def client_of(vault: VaultBench, purpose: Purpose):  # type: ignore[no-untyped-def]
    return vault.stores.vault(vault.site, purpose)._s3  # type: ignore[attr-defined]


def test_a_vault_that_is_full_says_so_and_keeps_what_it_has(vault: VaultBench, narrow: None) -> None:
    small, large = vault.key("small"), vault.key("large")
    vault.write.put(small, b"x")
    with pytest.raises(VaultFull) as refused:
        vault.write.put(large, b"x" * (2 << 20))
    assert not refused.value.retry
    assert refused.value.cloud_request_id
    with pytest.raises(VaultFull):
        vault.write.put_stream(large, (b"x" * (8 << 20) for _ in range(3)))
    assert [one.key for one in vault.read.list(vault.key(""))] == [small]


def test_if_none_match_is_ignored_so_nothing_may_rest_on_it(vault: VaultBench) -> None:
    s3, key = client_of(vault, Purpose.WRITE), vault.key("once")
    for body in (b"first", b"second"):
        s3.put_object(Bucket=vault.write.bucket, Key=key, Body=body, IfNoneMatch="*")
    assert vault.read.read(key) == b"second"


def test_a_lock_can_be_made_longer_and_not_shorter(vault: VaultBench) -> None:
    s3, key = client_of(vault, Purpose.WRITE), vault.key("held")
    until = vault.soon(HELD_S)
    put = vault.write.put(key, b"x", until)

    def retain(moment: object) -> None:
        lock = {"Mode": "COMPLIANCE", "RetainUntilDate": moment}
        s3.put_object_retention(Bucket=vault.write.bucket, Key=key, VersionId=put.version_id, Retention=lock)

    with pytest.raises(ClientError):
        retain(until - timedelta(seconds=3))
    retain(until + timedelta(seconds=1))
    told = vault.read.head(key, put.version_id).retain_until
    assert told is not None
    assert told > until
