"""The API under calls nobody would write: never a 5xx, always the shape that the document promises."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloudctl.actors import INSTALLATION, Role
from cloudctl.core import Core
from cloudctl.secrets import Box, Signer
from dr.keyring import Keyring
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_objects import FakeStores
from tenants import people, requests
from tests.builders import a_person, a_province, a_vm_form, an_actor
from tests.conftest import make_core
from web.app import create_app

CHECKED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FINANCE = ("department", "gx-finance")
ROLES = (
    (Role.REQUESTER, FINANCE),
    (Role.DEPARTMENT_APPROVER, FINANCE),
    (Role.CLOUD_ADMIN, INSTALLATION),
    (Role.PROVINCE_ADMIN, INSTALLATION),
    (Role.SYSTEM_ADMIN, INSTALLATION),
    (Role.AUDITOR, INSTALLATION),
)
EVERYDAY = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    made = make_core(tmp_path_factory.mktemp("fuzz"))
    a_province(made)
    requests.submit(made, an_actor(made, "alice"), a_vm_form(count=1), "k")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def headers(core: Core) -> dict[str, str]:
    """Of somebody who may do everything, which no account of an installation may."""
    for role, scope in ROLES:
        a_person(core, "omni", role, scope, "gx-finance")
    token = people.create_token(core, an_actor(core, "omni"), "fuzz", 1)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def schema(core: Core) -> BaseSchema:
    clouds = FakeClouds({site: FakeCloud(site, core.clock) for site in ("province", "city-1")})
    Box.make_key(core.settings.keys / "box.key")
    keyring = Keyring(Signer(core.settings.keys / "audit.key"), Box(core.settings.keys / "box.key"))
    app = create_app(core, clouds, FakeStores(core.clock), lambda: keyring)
    app.testing = False
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


def test_no_call_breaks_the_api(schema: BaseSchema, headers: dict[str, str]) -> None:
    assert _fuzz(schema, headers, EVERYDAY) > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_call_of_many_breaks_the_api(schema: BaseSchema, headers: dict[str, str]) -> None:
    _fuzz(schema, headers, settings(EVERYDAY, max_examples=400))


def _fuzz(schema: BaseSchema, headers: dict[str, str], how: settings) -> int:
    """Call every operation of the document, right and wrong; how many there are."""
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        how(given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))(_call(headers)))()
        with suppress(Unsatisfiable):  # a call without any input cannot be made wrongly
            how(given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(_call(headers)))()
    return len(operations)


def _call(headers: dict[str, str]) -> Callable[[schemathesis.Case], None]:
    def call(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKED)

    return call
