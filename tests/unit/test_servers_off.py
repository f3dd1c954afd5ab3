"""Servers of the old site that are off, or gone: what its own cloud has to say for that."""

from dataclasses import replace

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudUnavailable
from cloudctl.ports import Server
from dr.failover.off import still_on
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds

SERVER = Server("s-1", "db-1", "ACTIVE", "p-1", "gov.small", {})
KNOWN = {"s-1": "db-1", "s-2": "db-2"}


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud("province", FrozenClock())


def on(cloud: FakeCloud) -> list[str]:
    return still_on(FakeClouds({"province": cloud}), "province", KNOWN)


def test_a_server_that_its_cloud_does_not_know_is_gone_and_one_that_is_off_is_off(cloud: FakeCloud) -> None:
    cloud.state.servers["s-1"] = SERVER
    assert on(cloud) == ["db-1"]
    cloud.state.servers["s-1"] = replace(SERVER, status="SHUTOFF")
    assert on(cloud) == []


def test_a_server_that_a_list_leaves_out_is_not_gone(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.state.servers["s-1"] = replace(SERVER, status="UNKNOWN")
    monkeypatch.setattr(cloud, "list_all_servers", list)
    assert on(cloud) == ["db-1"]


def test_a_cloud_that_does_not_answer_for_one_of_them_proves_nothing(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_server_id: str) -> Server:
        raise CloudUnavailable("no answer")

    monkeypatch.setattr(cloud, "get_server", away)
    with pytest.raises(CloudUnavailable):
        on(cloud)
