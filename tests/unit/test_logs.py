"""Logs: one JSON object a line, with ids, without secrets."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from cloudctl import logs
from cloudctl.secrets import new_token

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    before, level, configured = list(root.handlers), root.level, structlog.get_config()
    for handler in before:
        root.removeHandler(handler)
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**configured)


def test_a_record_is_one_json_object_with_time_level_and_logger(lines: Lines) -> None:
    logging.getLogger("cloudctl.test").info("request %s 已提交", 7)
    [line] = lines()
    assert line["event"] == "request 7 已提交"
    assert (line["level"], line["logger"]) == ("info", "cloudctl.test")
    assert line["at"].endswith("Z")


def test_lines_carry_the_ids_of_the_work_they_belong_to(lines: Lines) -> None:
    log = logging.getLogger("cloudctl.test")
    with logs.context(request_id="req-1"), logs.context(operation_id=9):
        log.info("inside")
    log.info("outside")
    inside, outside = lines()
    assert (inside["request_id"], inside["operation_id"]) == ("req-1", 9)
    assert "request_id" not in outside


def test_loggers_of_structlog_end_in_the_same_place(lines: Lines) -> None:
    structlog.get_logger("web").info("request", status=200, token="abc")
    [line] = lines()
    assert (line["event"], line["status"], line["token"]) == ("request", 200, "***")


def test_an_exception_is_part_of_its_line(lines: Lines) -> None:
    try:
        raise ValueError(f"bad token {new_token()}")
    except ValueError:
        logging.getLogger("cloudctl.test").exception("unexpected")
    [line] = lines()
    assert "ValueError: bad token ***" in line["exception"]


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    logging.getLogger("cloudctl.test").debug("detail")
    logging.getLogger("kombu").info("chatter")
    assert lines() == []


SECRETS = (
    "cct_0123456789abcdefghijklmnop",
    "gAAAAABmZ0123456789abcdefghijklmnopqrstuvwxyz0123456789==",
    "hunter2secret",
)


@pytest.mark.parametrize(
    "text",
    [
        "token cct_0123456789abcdefghijklmnop was used",
        "Authorization: Bearer hunter2secret",
        "X-Auth-Token: gAAAAABmZ0123456789abcdefghijklmnopqrstuvwxyz0123456789==",
        "postgresql://cloudctl:hunter2secret@db/cloudctl",
        "amqp://:hunter2secret@broker//",
        "os_password=hunter2secret failed",
        '{"auth": {"password": "hunter2secret"}}',
        "admin_password='hunter2secret'",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2secret\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2secret",
    ],
)
def test_a_secret_in_running_text_is_struck_out(lines: Lines, text: str) -> None:
    logging.getLogger("cloudctl.test").warning("%s", text)
    [line] = lines()
    assert "***" in line["event"]
    assert not any(secret in json.dumps(line) for secret in SECRETS)


def test_a_secret_under_a_telling_key_is_struck_out_however_deep(lines: Lines) -> None:
    body = {"user": "alice", "auth": [{"new_password": "hunter2secret", "Cookie": "hunter2secret"}]}
    logging.getLogger("cloudctl.test").info("body", extra={"body": body, "api_key": "hunter2secret"})
    [line] = lines()
    assert line["body"]["user"] == "alice"
    assert "hunter2secret" not in json.dumps(line)


@pytest.mark.parametrize("text", ["flavor gov.small", "key_name alice", "passwords must be long", "项目 123"])
def test_ordinary_words_stay(text: str) -> None:
    assert logs.strike_text(text) == text
