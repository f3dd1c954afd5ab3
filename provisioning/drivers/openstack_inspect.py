"""A look at a cloud from outside: does it let us in, does every service answer, is its clock right."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cloudctl.errors import CloudctlError
from cloudctl.ports import Inspection, ServiceState
from provisioning.drivers import openstack_quota as quota
from provisioning.drivers.openstack_http import Caller
from provisioning.drivers.openstack_listing import SiteFacts
from provisioning.drivers.openstack_rights import token_of

# A small call of each service that really goes through its database, not only its front door.
_LOOKS = {
    "identity": "/projects?name=-",
    "compute": "/servers?limit=1",
    "block-storage": "/volumes?limit=1",
    "network": "/networks?limit=1&fields=id",
    "image": "/images?limit=1",
}


def inspect(call: Caller, facts: SiteFacts) -> Inspection:
    """Look at everything; what does not answer is told, not raised."""
    try:
        token = token_of(call)
    except CloudctlError as error:
        services = (ServiceState("identity", False, error.text()),)
        return Inspection("", (), services, None, {})
    call.line.forget_services()
    looks = [_look(call, name, path) for name, path in _LOOKS.items()]
    ahead = [seconds for _state, seconds in looks if seconds is not None]
    return Inspection(
        user=token.username or "",
        roles=tuple(sorted(token.role_names or ())),
        services=tuple(state for state, _seconds in looks),
        clock_ahead_s=max(ahead, key=abs) if ahead else None,
        default_quotas=_defaults(call, facts),
    )


def _look(call: Caller, name: str, path: str) -> tuple[ServiceState, float | None]:
    """The state of one service, and how far its clock is ahead of ours."""
    try:
        version = call.service(name).microversion
        began = time.time()
        response = call.respond(name, "GET", path, "answer")
        ended = time.time()
        if response.status_code >= 400:
            raise call.error(response, name, "answer")
    except CloudctlError as error:
        return ServiceState(name, False, error.text()), None
    ahead = _ahead_s(response.headers.get("Date"), began, ended)
    return ServiceState(name, True, ".".join(map(str, version or ()))), ahead


def _ahead_s(date: str | None, began: float, ended: float) -> float | None:
    """How far a clock that said `date` between two of our moments is ahead; 0 when it fits.

    HTTP dates are whole seconds, cut off.
    """
    try:
        said = parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return None
    earliest = (said - datetime.fromtimestamp(ended, UTC)).total_seconds()
    latest = (said - datetime.fromtimestamp(began, UTC)).total_seconds() + 1
    if earliest <= 0 <= latest:
        return 0.0
    return round(earliest if earliest > 0 else latest, 1)


def _defaults(call: Caller, facts: SiteFacts) -> dict[str, int]:
    try:
        return quota.defaults(call, facts)
    except CloudctlError:
        return {}  # the rights, or the service that is down, say why
