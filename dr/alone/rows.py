"""Rows as plain JSON, and the hashes by which a change of one is seen. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Columns = dict[str, Any]
Rows = dict[str, Columns]
Tables = dict[str, Rows]


def canonical(content: object) -> bytes:
    """The one way to write it as JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def mark(row: Mapping[str, Any]) -> str:
    """A short hash of a row, by which a change of it is seen."""
    return hashlib.sha256(canonical(row)).hexdigest()[:16]
