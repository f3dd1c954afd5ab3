"""What stands beside the bytes of an object, between boto3's words and those of HTTP.

Kept are its type, how it is to be shown and cached, and what its owner wrote on it (`x-amz-meta-`). S3 takes
only ASCII there: other characters are written as RFC 2047 has it, which is how S3 itself shows them.
"""

from collections.abc import Mapping
from email.header import Header
from typing import Any

_FIELDS = {
    "content-type": "ContentType",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-disposition": "ContentDisposition",
    "cache-control": "CacheControl",
}
_OWN = "x-amz-meta-"


def headers_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Out of the answer to a HEAD, by their names in HTTP."""
    found = {name: str(answer[field]) for name, field in _FIELDS.items() if answer.get(field)}
    own = answer.get("Metadata") or {}
    return {**found, **{f"{_OWN}{key.lower()}": str(value) for key, value in own.items()}}


def as_arguments(headers: Mapping[str, str]) -> dict[str, Any]:
    """For a call that puts; what is not known here is left out."""
    found: dict[str, Any] = {
        field: _ascii(headers[name]) for name, field in _FIELDS.items() if headers.get(name)
    }
    own = {name.removeprefix(_OWN): _ascii(text) for name, text in headers.items() if name.startswith(_OWN)}
    return {**found, **({"Metadata": own} if own else {})}


def _ascii(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10_000).encode()
