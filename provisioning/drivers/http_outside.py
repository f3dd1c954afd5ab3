"""What people would see: TCP and HTTP by name at a given address, so that each site is asked by itself."""

import ipaddress
import socket

import httpx

from cloudctl.clock import monotonic
from cloudctl.ports.outside import HTTPS, TCP, Question, Seen

_MOST_BYTES = 1 << 20


class HttpOutside:
    """Implements Outside. Certificates are checked against the name, and no proxy is asked."""

    def ask(self, question: Question, timeout_s: float) -> Seen:
        began = monotonic()
        try:
            wrong = _knock(question, timeout_s) if question.kind == TCP else _get(question, timeout_s)
        except (OSError, httpx.HTTPError) as error:
            wrong = str(error) or type(error).__name__
        return Seen(not wrong, monotonic() - began, wrong)


def _knock(question: Question, timeout_s: float) -> str:
    socket.create_connection((question.address, question.port), timeout_s).close()
    return ""


def _get(question: Question, timeout_s: float) -> str:
    """What is wrong with the answer; empty for nothing."""
    is_six = ipaddress.ip_address(question.address).version == 6
    place = f"[{question.address}]" if is_six else question.address
    url = f"{question.kind}://{place}:{question.port}{question.path}"
    host = question.host.rstrip(".")
    headers = {"Host": host} if host else {}
    named = {"sni_hostname": host} if host and question.kind == HTTPS else {}
    began = monotonic()
    with (
        httpx.Client(timeout=timeout_s, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", url, headers=headers, extensions=named) as answer,
    ):
        if answer.status_code != question.status:
            return f"HTTP {answer.status_code}"
        body = b""
        for piece in answer.iter_bytes():
            body += piece
            if monotonic() - began > timeout_s:
                return "slower than the time it had"
            if len(body) > _MOST_BYTES:
                break
    if question.contains and question.contains not in body.decode(answer.encoding or "utf-8", "replace"):
        return "the text is not in it"
    return ""
