"""Reads the table of levels that comes with this version."""

from functools import cache
from importlib import resources

import yaml

from dr.reports.levels import Level, Levels


@cache
def table() -> Levels:
    """The table that comes with this version."""
    text = resources.files("dr.reports").joinpath("levels.yaml").read_text(encoding="utf-8")
    return of_yaml(text)


def of_yaml(text: str) -> Levels:
    """The table out of its file."""
    row = yaml.safe_load(text)
    return Levels(
        row["edition"],
        row["title"],
        row["told"],
        row["elements"],
        tuple(Level(**one) for one in row["levels"]),
        row["reach"],
        tuple(row["not_judged"]),
        tuple(row["sources"]),
        {
            key: str(value) if key in ("issued", "in_force") else value
            for key, value in row["succeeded_by"].items()
        },
    )
