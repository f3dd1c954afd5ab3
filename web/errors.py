"""Errors at the edge: one table from families to HTTP status, shown as problem+json or as a page."""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from apiflask.exceptions import HTTPError
from flask import Flask, Response, json
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from cloudctl import errors
from cloudctl.errors import BadInput, CloudctlError, Fault
from web.error_page import show_problem
from web.saying import error_text, fault_hint, fault_message
from web.visitor import is_api, request_id, translate

log = structlog.get_logger("web")

STATUS: Mapping[type[CloudctlError], HTTPStatus] = {
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    errors.Refused: HTTPStatus.CONFLICT,
    errors.BadInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.StalePlan: HTTPStatus.PRECONDITION_FAILED,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.CloudUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ApplicationUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NameServiceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WitnessUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.CloudRejected: HTTPStatus.BAD_GATEWAY,
    errors.NameServiceRefused: HTTPStatus.BAD_GATEWAY,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageRefused: HTTPStatus.BAD_GATEWAY,
    errors.DatabaseRefused: HTTPStatus.BAD_GATEWAY,
    errors.NotProved: HTTPStatus.BAD_GATEWAY,
    errors.CloudctlError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
# What Flask itself answers, in our words.
_PLAIN: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not know the method"),
    413: ("too_large", "the request is too large"),
    415: ("unsupported_media_type", "the content type is not supported"),
}


def register(app: Flask) -> None:
    """No error leaves the application in any other shape, and none with a stack trace."""
    app.register_error_handler(CloudctlError, show)
    app.register_error_handler(HTTPError, _show_input)
    app.register_error_handler(HTTPException, _show_http)
    app.register_error_handler(Exception, _show_unexpected)


def status_of(error: CloudctlError) -> HTTPStatus:
    """The status of the nearest family that the table names."""
    return next(STATUS[family] for family in type(error).__mro__ if family in STATUS)


def problem(error: CloudctlError) -> dict[str, Any]:
    """The error as the members of an RFC 9457 problem, in the reader's language."""
    status = status_of(error)
    return {
        "type": f"urn:cloudctl:error:{error.code}",
        "title": translate()(status.phrase),
        "status": int(status),
        "code": error.code,
        "detail": error_text(error),
        "retry": error.retry,
        "faults": [_fault(fault) for fault in error.faults],
        "cloud_request_id": error.cloud_request_id,
        "request_id": request_id(),
    }


def input_faults(error: ValidationError) -> list[Fault]:
    """What is wrong with the shape of an input, each at its place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [
        Fault(
            ".".join(map(str, fault["loc"])) or "body", fault["type"], "{message}", {"message": fault["msg"]}
        )
        for fault in found
    ]


def show(error: CloudctlError) -> AnyResponse:
    """The error as this reader wants it: a problem for programs, a page for people."""
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("failed", request_id=request_id(), code=error.code, message=error.text())
    return _answer(problem(error))


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "place": fault.place,
        "code": fault.code,
        "message": fault_message(fault),
        "hint": fault_hint(fault),
    }


def _answer(members: Mapping[str, Any]) -> AnyResponse:
    if not is_api():
        return show_problem(members)
    answer = Response(json.dumps(members), members["status"], mimetype="application/problem+json")
    if members["status"] == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="cloudctl"'
    return answer


def _show_input(error: HTTPError) -> AnyResponse:
    cause = error.__cause__
    faults = input_faults(cause) if isinstance(cause, ValidationError) else []
    return show(BadInput("the input has faults", faults=faults))


def _show_http(error: HTTPException) -> AnyResponse:
    """What Flask itself answers: no such address, wrong method, too large, not readable."""
    code = error.code or 500
    if code < HTTPStatus.BAD_REQUEST:
        return error.get_response()
    if code == HTTPStatus.BAD_REQUEST:
        return show(BadInput("the request cannot be read"))
    word, template = _PLAIN.get(code, ("refused", "the request was refused"))
    plain = {"title": translate()(HTTPStatus(code).phrase), "status": code, "code": word}
    answer = _answer({**problem(CloudctlError(template)), **plain, "type": f"urn:cloudctl:error:{word}"})
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    return answer


def _show_unexpected(error: Exception) -> AnyResponse:
    """A bug: all of it into the log, nothing of it to the reader but the request's id."""
    trace = "".join(traceback.format_exception(error))  # no local variables: they may hold a password
    log.error("unexpected", request_id=request_id(), trace=trace)
    return _answer(problem(CloudctlError("something went wrong here; please tell us the request id")))
