"""A small topology with edits, and what reading says of it."""

from pathlib import Path

import pytest

from cloudctl.errors import BadInput, Fault
from tenants.topology import load

EXAMPLES = Path(__file__).parent.parent / "examples"
LAB = EXAMPLES / "lab.yaml"
PLAIN = Path(__file__).parent / "data" / "topology.yaml"
GUANGXI = EXAMPLES / "guangxi.yaml"


def edited(*edits: tuple[str, str]) -> bytes:
    """The plain file with the first place of each old text replaced; every old text must be there."""
    text = PLAIN.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def faults_of(source: bytes) -> list[Fault]:
    """The faults that reading finds; there must be some."""
    with pytest.raises(BadInput) as caught:
        load.read(source, "lab.yaml")
    assert caught.value.faults
    return list(caught.value.faults)


def lines_of(source: bytes) -> list[str]:
    """The same as people read them."""
    return [str(fault) for fault in faults_of(source)]
