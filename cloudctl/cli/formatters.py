"""Output as JSON and YAML with Chinese as it is written, and values as people and as scripts read them."""

import argparse
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from math import isfinite
from typing import Any, TextIO

from cliff.formatters.base import ListFormatter, SingleFormatter

MACHINE = ("json", "yaml")  # whole rows, nested values kept
PLAIN = ("csv", "value", "shell")  # one flat text for each value


class JsonFormatter(ListFormatter, SingleFormatter):
    """JSON, Chinese unescaped."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group(title="json formatter")
        group.add_argument("--noindent", action="store_true", help="JSON on one line")

    def emit_list(
        self, column_names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, parsed_args: Any
    ) -> None:
        rows = [dict(zip(column_names, row, strict=True)) for row in data]
        _dump_json(rows, stdout, parsed_args.noindent)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: Any
    ) -> None:
        _dump_json(dict(zip(column_names, data, strict=True)), stdout, parsed_args.noindent)


class YamlFormatter(ListFormatter, SingleFormatter):
    """YAML, Chinese unescaped, keys in their order."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Nothing to choose."""

    def emit_list(
        self, column_names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, parsed_args: Any
    ) -> None:
        _dump_yaml([dict(zip(column_names, row, strict=True)) for row in data], stdout)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: Any
    ) -> None:
        _dump_yaml(dict(zip(column_names, data, strict=True)), stdout)


def _dump_json(value: object, stdout: TextIO, on_one_line: bool) -> None:
    json.dump(value, stdout, ensure_ascii=False, indent=None if on_one_line else 2)
    stdout.write("\n")


def _dump_yaml(value: object, stdout: TextIO) -> None:
    import yaml

    yaml.safe_dump(value, stdout, allow_unicode=True, sort_keys=False, default_flow_style=False)


def cell(value: Any, formatter: str, name: str = "") -> Any:
    """A value as the formatter should print it; `name` is that of its field."""
    if formatter in MACHINE:
        return value
    if value is None:
        return ""
    if formatter in PLAIN:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
    return _readable(value, name)


def _readable(value: Any, name: str = "") -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _cut_short(value, ROUND_UP if name.endswith("_s") else ROUND_DOWN)
    if isinstance(value, dict):
        return ", ".join(f"{key}={_readable(each, key)}" for key, each in value.items() if each is not None)
    if isinstance(value, list):
        between = "\n" if any(isinstance(each, dict) for each in value) else ", "
        return between.join(str(_readable(each, name)) for each in value)
    if isinstance(value, str):
        return _local_time(value)
    return value


def _cut_short(value: float, rounding: str) -> float:
    """To what people read of it. Nothing is to look better than it is: rates are rounded down, seconds up."""
    if not isfinite(value):
        return value
    step = "0.1" if abs(value) >= 10 else "0.001"
    return float(Decimal(str(value)).quantize(Decimal(step), rounding))


def _local_time(text: str) -> str:
    """A time in the reader's zone, to the second; any other text as it is."""
    if len(text) < 20 or text[4:5] != "-" or text[10:11] != "T":
        return text
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text
