"""The driver's line to a cloud: signing in, versions, retries, errors. Against a stand-in's HTTP."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl.config import Settings
from cloudctl.errors import (
    CloudBusy,
    CloudConflict,
    CloudctlError,
    CloudForbidden,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRejected,
    CloudUnavailable,
    Misconfigured,
)
from cloudctl.ports import NewVolume
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.drivers.openstack_errors import error_of, family
from tests.unit.stub_openstack import (
    Answer,
    StubOpenStack,
    clouds_of,
    running,
    write_clouds_yaml,
)

PROJECT = "b" * 32
SERVERS, VOLUMES = "/compute/v2.1/servers", f"/volume/v3/{PROJECT}/volumes"


@pytest.fixture
def stub() -> Iterator[StubOpenStack]:
    with running() as made:
        yield made


@pytest.fixture
def clouds(stub: StubOpenStack, tmp_path: Path) -> Iterator[OpenStackClouds]:
    made = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url))
    yield made
    made.close()


# -- errors

NOVA_SAYS = (
    '{"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 2, but already used 4"}}'
)
CINDER_SAYS = """{"overLimit": {"code": 413, "message":
 "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes'."}}"""
CINDER_SAYS_OF_SIZE = """{"overLimit": {"code": 413, "message":
 "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota."}}"""
NEUTRON_SAYS = """{"NeutronError": {"type": "OverQuota", "detail": "",
 "message": "Quota exceeded for resources: ['port']."}}"""


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, NOVA_SAYS, CloudQuotaExceeded),
        (413, CINDER_SAYS, CloudQuotaExceeded),
        (413, CINDER_SAYS_OF_SIZE, CloudQuotaExceeded),
        (409, NEUTRON_SAYS, CloudQuotaExceeded),
        (413, '{"overLimit": {"code": 413, "message": "This request was rate-limited."}}', CloudBusy),
        (429, "", CloudBusy),
        (401, '{"error": {"code": 401, "message": "The request you have made requires authentication."}}',
         CloudForbidden),
        (403, '{"error": {"code": 403, "message": "You are not authorized"}}', CloudForbidden),
        (404, '{"itemNotFound": {"message": "Instance x could not be found.", "code": 404}}', CloudNotFound),
        (409, '{"conflictingRequest": {"code": 409, "message": "Port is in use"}}', CloudConflict),
        (400, '{"badRequest": {"code": 400, "message": "Invalid key_name provided."}}', CloudRejected),
        (500, '{"computeFault": {"code": 500, "message": "Unexpected API Error."}}', CloudUnavailable),
        (503, "<html><h1>503</h1></html>", CloudUnavailable),
    ],
)  # fmt: skip
def test_each_answer_has_its_family_and_keeps_the_request_id(
    status: int, body: str, expected: type[CloudctlError]
) -> None:
    about = ("province", "compute", "make server x")
    error = error_of(status, body, {"x-openstack-request-id": "req-1"}, about)
    assert type(error) is expected
    assert error.cloud_request_id == "req-1"
    assert "<html>" not in error.text()
    assert error.text().startswith("province: compute ")


def test_an_error_about_a_missing_quota_row_is_no_exceeded_quota() -> None:
    assert family(404, "Quota for project x could not be found") is CloudNotFound


# -- signing in


def test_nothing_is_asked_twice_and_every_project_gets_its_token_from_our_own(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.answer("GET", f"{VOLUMES}/detail", Answer(body={"volumes": []}))
    inside = clouds.at("province").in_project(PROJECT)
    for _ in range(3):
        inside.list_volumes()
        clouds.at("province").in_project(PROJECT).list_volumes()
    tokens = stub.calls("POST", "/identity/v3/auth/tokens")
    assert [one.body["auth"]["identity"]["methods"] for one in tokens] == [["password"], ["token"]]
    assert tokens[1].body["auth"]["scope"] == {"project": {"id": PROJECT}}
    listings = stub.calls("GET", f"{VOLUMES}/detail")
    assert len(listings) == 6
    assert {one.headers["x-auth-token"] for one in listings} == {f"token:{PROJECT}"}
    discoveries = [one for one in stub.asked if one.path.rstrip("/") == "/volume/v3"]
    assert len(discoveries) == 1


def test_a_keystone_that_rescopes_no_tokens_gets_the_password_for_the_project(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.may_rescope = False
    stub.answer("GET", f"{VOLUMES}/detail", Answer(body={"volumes": []}))
    clouds.at("province").in_project(PROJECT).list_volumes()
    last = stub.calls("POST", "/identity/v3/auth/tokens")[-1].body["auth"]
    assert last["identity"]["methods"] == ["password"]
    assert last["scope"] == {"project": {"id": PROJECT}}


def test_a_revoked_token_is_replaced_and_the_call_made_again(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    revoked = Answer(401, {"error": {"message": "The request you have made requires authentication."}})
    stub.answer("GET", f"{VOLUMES}/detail", revoked, Answer(body={"volumes": []}))
    assert clouds.at("province").in_project(PROJECT).list_volumes() == []
    methods = [
        one.body["auth"]["identity"]["methods"] for one in stub.calls("POST", "/identity/v3/auth/tokens")
    ]
    assert methods == [["password"], ["token"], ["password"], ["token"]]


def test_an_application_credential_can_observe_and_says_that_it_cannot_manage(
    stub: StubOpenStack, tmp_path: Path
) -> None:
    auth = {
        "auth_url": f"{stub.url}/identity/v3",
        "application_credential_id": "c" * 32,
        "application_credential_secret": "secret",
    }
    path = write_clouds_yaml(
        tmp_path / "clouds.yaml", stub.url, auth_type="v3applicationcredential", auth=auth
    )
    clouds = clouds_of(path)
    cloud = clouds.at("province")
    rescope = next(right for right in cloud.rights() if right.name == "identity:token_for_project")
    assert (rescope.is_held, rescope.needed_for) == (False, "manage")
    with pytest.raises(CloudForbidden, match="application credential"):
        cloud.in_project(PROJECT)
    clouds.close()


def test_the_wrong_password_is_forbidden_and_a_keystone_that_is_not_there_unavailable(
    stub: StubOpenStack, clouds: OpenStackClouds, tmp_path: Path
) -> None:
    stub.answer(
        "POST",
        "/identity/v3/auth/tokens",
        Answer(401, {"error": {"message": "wrong"}}, {"x-openstack-request-id": "req-7"}),
    )
    with pytest.raises(CloudForbidden) as refused:
        clouds.at("province").list_projects()
    assert refused.value.cloud_request_id == "req-7"
    stub.answer("POST", "/identity/v3/auth/tokens", Answer(404))
    with pytest.raises(CloudUnavailable):
        clouds.at("province").list_projects()
    nobody = clouds_of(write_clouds_yaml(tmp_path / "nobody.yaml", "http://127.0.0.1:9"))
    with pytest.raises(CloudUnavailable):
        nobody.at("province").list_projects()


# -- clouds.yaml


def test_what_is_wrong_with_clouds_yaml_is_said_with_its_place(stub: StubOpenStack, tmp_path: Path) -> None:
    path = write_clouds_yaml(tmp_path / "clouds.yaml", stub.url, cacert=str(tmp_path / "missing.pem"))
    with pytest.raises(Misconfigured) as no_file:
        clouds_of(path).at("province")
    assert "missing.pem" in str(no_file.value.faults[0])
    other = OpenStackClouds(Settings(home=tmp_path, clouds_yaml=str(path)), sites={"city": "stab"})
    with pytest.raises(Misconfigured) as no_entry:
        other.at("city")
    assert no_entry.value.faults[0].params["known"] == "stub"
    path.write_text("clouds: [")
    with pytest.raises(Misconfigured):
        clouds_of(path).at("province")


def test_the_environment_of_the_process_signs_in_to_no_site(
    stub: StubOpenStack, clouds: OpenStackClouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_USERNAME", "somebody-else")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:9/v3")
    stub.answer("GET", "/identity/v3/projects", Answer(body={"projects": []}))
    clouds.at("province").list_projects()
    user = stub.calls("POST", "/identity/v3/auth/tokens")[0].body["auth"]["identity"]["password"]["user"]
    assert user["name"] == "cloudctl"


def test_a_changed_clouds_yaml_is_used_without_a_restart(
    stub: StubOpenStack, clouds: OpenStackClouds, tmp_path: Path
) -> None:
    before = clouds.at("province")
    assert clouds.at("province") is before
    path = write_clouds_yaml(tmp_path / "clouds.yaml", stub.url)
    os.utime(path, ns=(1, 1))
    assert clouds.at("province") is not before


# -- retries


def test_a_read_on_a_broken_line_is_tried_once_more_and_a_post_never(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    cut = Answer(is_cut=True)
    stub.answer("GET", f"{VOLUMES}/detail", cut, Answer(body={"volumes": []}))
    stub.answer("POST", VOLUMES, cut)
    inside = clouds.at("province").in_project(PROJECT)
    assert inside.list_volumes() == []
    with pytest.raises(CloudUnavailable) as lost:
        inside.create_volume(NewVolume("v", 1, "standard", {}))
    assert lost.value.retry
    assert len(stub.calls("POST", VOLUMES)) == 1


def test_a_failed_discovery_is_tried_again_at_the_next_call(
    stub: StubOpenStack, clouds: OpenStackClouds
) -> None:
    stub.answer("GET", "/network", Answer(503))
    with pytest.raises(CloudUnavailable):
        clouds.at("province").list_networks()
    del stub.says["GET", "/network"]
    stub.answer("GET", "/network/v2.0/subnets", Answer(body={"subnets": []}))
    stub.answer("GET", "/network/v2.0/networks", Answer(body={"networks": []}))
    assert clouds.at("province").list_networks() == []
