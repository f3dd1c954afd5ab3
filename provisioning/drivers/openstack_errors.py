"""OpenStack's answers and keystoneauth's exceptions as the families of cloudctl's errors, request id kept."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import exceptions as ka

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

REFUSED = "{site}: {service} refused to {what}: {reason}"
UNAVAILABLE = "{site}: {service} could not {what} just now: {reason}"

# What the services say when their own quota is too small. Nova answers 403 with "Quota exceeded for cores:
# Requested 2, but already used 4 of 4 cores", Cinder 413 with "VolumeLimitExceeded: Maximum number of
# volumes allowed (1) exceeded for quota 'volumes'." or "... exceeds allowed gigabytes quota. ...", Neutron
# 409 with type OverQuota and "Quota exceeded for resources: ['port'].".
_QUOTA_WORDS = ("quota exceeded", "exceeds allowed", "exceeded for quota", "limitexceeded", "overquota")
_REASON_MAX = 500
_BAD_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"  # keystoneauth wraps it in a failed discovery


def is_quota(reason: str) -> bool:
    """Whether the words are those of a quota that is too small."""
    words = reason.lower()
    return any(sign in words for sign in _QUOTA_WORDS)


def family(status: int, reason: str) -> type[CloudctlError]:
    """The family of an HTTP status; the words decide where a status has two meanings."""
    if status in (403, 409, 413, 429) and is_quota(reason):
        return CloudQuotaExceeded
    by_status: Mapping[int, type[CloudctlError]] = {
        401: CloudForbidden,
        403: CloudForbidden,
        404: CloudNotFound,
        409: CloudConflict,
        408: CloudUnavailable,
        413: CloudBusy,
        429: CloudBusy,
    }
    return by_status.get(status, CloudUnavailable if status >= 500 else CloudRejected)


def reason_of(text: str, fallback: str = "") -> str:
    """The message inside any service's error body: each wraps it in another word."""
    try:
        body = json.loads(text)
    except ValueError:
        plain = " ".join(text.split())
        return (fallback if plain.startswith("<") else plain)[:_REASON_MAX] or fallback
    found = _message(body)
    return (found or fallback)[:_REASON_MAX]


def _message(body: object) -> str:
    if not isinstance(body, dict):
        return ""
    if isinstance(body.get("message"), str):
        kind = body.get("type")
        return f"{kind}: {body['message']}" if isinstance(kind, str) and kind else str(body["message"])
    for value in body.values():
        if isinstance(value, str):
            return value
        if inner := _message(value):
            return inner
    return ""


def error_of(
    status: int, text: str, headers: Mapping[str, str], about: tuple[str, str, str], fallback: str = ""
) -> CloudctlError:
    """The error that an HTTP answer of `about` (site, service, what) stands for."""
    site, service, what = about
    reason = reason_of(text, fallback or f"HTTP {status}")
    kind = family(status, reason)
    template = UNAVAILABLE if kind.retry else REFUSED
    request_id = headers.get("x-openstack-request-id") or headers.get("x-compute-request-id")
    return kind(
        template,
        cloud_request_id=request_id,
        site=site,
        service=service,
        what=what,
        reason=reason,
        status=status,
    )


@contextmanager
def translated(site: str, service: str, what: str) -> Iterator[None]:
    """Turn what keystoneauth raises (signing in, discovery, the line itself) into our families."""
    about: dict[str, Any] = {"site": site, "service": service, "what": what}
    try:
        yield
    except ka.HttpError as error:
        response = error.response
        headers = dict(response.headers) if response is not None else {}
        text = response.text if response is not None else str(error)
        status = int(error.http_status or 500)
        if status == 404:  # signing in or discovery found no API there: not started yet, or a wrong address
            raise CloudUnavailable(UNAVAILABLE, reason=reason_of(text, str(error)), **about) from error
        raise error_of(status, text, headers, (site, service, what)) from error
    except (ka.AuthPluginException, ka.AuthorizationFailure, ka.MissingAuthMethods) as error:
        raise CloudForbidden(REFUSED, reason=str(error), **about) from error
    except ka.EndpointNotFound as error:
        raise Misconfigured(
            "{site}: the catalogue of the cloud has no {service}: {reason}", reason=str(error), **about
        ) from error
    except ka.ClientException as error:  # the line, timeouts, discovery, answers that are none
        if isinstance(error, ka.SSLError) or _BAD_CERTIFICATE in str(error):
            raise CloudUnavailable(  # a certificate that ran out is renewed: work waits for that
                "{site}: the certificate of {service} was not accepted: {reason}",
                hint="set cacert in clouds.yaml to the file of your own CA",
                reason=str(error),
                **about,
            ) from error
        raise CloudUnavailable(UNAVAILABLE, reason=str(error), **about) from error


def as_busy(error: CloudctlError) -> CloudBusy:
    """The same refusal as one that passes by itself: the thing is in use or being made just now."""
    params: dict[str, Any] = dict(error.params)
    return CloudBusy(UNAVAILABLE, cloud_request_id=error.cloud_request_id, **params)
