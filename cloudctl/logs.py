"""Structured logs: one JSON object a line, with the ids of request and operation, and no secret in it.

Everything logs through the standard library; here is only how a record becomes a line. What looks like a
secret is struck out twice: by the name of the key it stands under, and by its own shape in running text.
"""

import logging
import logging.handlers
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import structlog

STRUCK = "***"
_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|token$|secret|authorization|cookie|(api|private|access|fernet)_?key|credential",
    re.IGNORECASE,
)
_SECRET_TEXT: tuple[tuple[str, str], ...] = (
    (r"\bcct_[A-Za-z0-9_-]{16,}", STRUCK),  # our own tokens
    (r"\bgAAAAA[A-Za-z0-9_=-]{32,}", STRUCK),  # Fernet: sealed values and Keystone's tokens
    (r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", rf"\1 {STRUCK}"),
    (r"(://[^/\s:@]*:)[^/\s@]+@", rf"\1{STRUCK}@"),  # credentials in a URL
    (r"(?i)(\b[\w-]*(?:password|passwd|secret|token)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+", rf"\1{STRUCK}"),
    (r"(?s)-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(-----END \1PRIVATE KEY-----|\Z)", STRUCK),
)
_STRIKES = tuple((re.compile(pattern), replacement) for pattern, replacement in _SECRET_TEXT)
_CHATTY = ("alembic", "celery", "httpx", "httpcore", "keystoneauth", "kombu", "openstack", "urllib3")
_GATHER: tuple[structlog.types.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
)
_ROTATE_AT_BYTES = 20 * 2**20
_KEPT_FILES = 5


def configure(level: str, file: Path | None = None, stream: TextIO | None = None) -> None:
    """Send every record of the process to the file (rotated), the stream, or stderr when neither is named."""
    handlers: list[logging.Handler] = []
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                file, maxBytes=_ROTATE_AT_BYTES, backupCount=_KEPT_FILES, encoding="utf-8"
            )
        )
    if stream is not None or not handlers:
        handlers.append(logging.StreamHandler(stream or sys.stderr))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_GATHER,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter())
        root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def formatter() -> logging.Formatter:
    """What turns a record of the standard library into one line of JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_GATHER, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            strike_secrets,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )


@contextmanager
def context(**ids: object) -> Iterator[None]:
    """Every line written inside carries these ids (`request_id=...`, `operation_id=...`)."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def strike_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without its secrets."""
    return {key: STRUCK if _SECRET_KEY.search(key) else _struck(value) for key, value in event.items()}


def _struck(value: Any) -> Any:
    if isinstance(value, str):
        return strike_text(value)
    if isinstance(value, Mapping):
        return strike_secrets(None, "", dict(value))
    if isinstance(value, list | tuple):
        return [_struck(each) for each in value]
    return value


def strike_text(text: str) -> str:
    """The text with everything that has the shape of a secret struck out."""
    for pattern, replacement in _STRIKES:
        text = pattern.sub(replacement, text)
    return text
