"""A look at a cloud from outside: does it let us in, does every service answer, is its clock right."""

import time
from datetime import datetime
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
    call.auth.invalidate()  # a token from before would tell nothing of now
    began = time.time()
    try:
        token = token_of(call)
    except CloudctlError as error:
        services = (ServiceState("identity", False, error.text()),)
        return Inspection("", (), services, None, {})
    skew = _ahead_s(token.issued, began, time.time()) if token.issued else None
    call.line.forget_services()
    looks = [_look(call, name, path) for name, path in _LOOKS.items()]
    told = [skew, *(seconds for _state, seconds in looks)]
    ahead = [seconds for seconds in told if seconds is not None]
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
    ahead = _ahead_of_date(response.headers.get("Date"), began, ended)
    return ServiceState(name, True, ".".join(map(str, version or ()))), ahead


def _ahead_of_date(date: str | None, began: float, ended: float) -> float | None:
    """The same for the Date of an answer, if it has one."""
    try:
        said = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return _ahead_s(said, began, ended)


def _ahead_s(said: datetime, began: float, ended: float) -> float:
    """How far a clock that said so between two of our moments is ahead; 0 when it fits, less when behind.

    What it said is cut off to whole seconds: HTTP dates are, and Keystone's tokens too.
    """
    moment, began = said.timestamp(), began - 1
    if began <= moment <= ended:
        return 0.0
    return round(moment - (ended if moment > ended else began), 1)


def _defaults(call: Caller, facts: SiteFacts) -> dict[str, int]:
    try:
        return quota.defaults(call, facts)
    except CloudctlError:
        return {}  # the rights, or the service that is down, say why
