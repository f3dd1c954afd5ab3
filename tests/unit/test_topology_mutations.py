"""Whatever is done to a good file, reading it gives a topology or BadInput, and no row ever changes."""

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudctl.core import Core
from cloudctl.errors import BadInput
from cloudctl.models import AuditEvent, Site
from tenants.topology import load, plan
from tenants.topology.faults import show
from tests.conftest import make_core
from tests.topology_files import PLAIN

SOURCE = PLAIN.read_bytes()
DOCUMENT = load.read(PLAIN).as_document()
SNIPPETS = [
    *(
        one.encode()
        for one in ": - { } [ ] &a *a !!int | > ' # % @ ? = ~ no 1:30 0755 1e999 .inf null -1".split()
    ),
    *(b"\t", b" ", b"\n", b"- ", b"? ", b'"', b"&a ", b"*a ", b"---\n", b"...\n", b"<<: *a", b'"\\ud800"'),
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc4\xcf", "云".encode(), b"9" * 5000, b"[" * 100, b"450000"),
]


def mutated(seed: int, times: int) -> bytes:
    """The plain file after some random edits of bytes and lines."""
    choose = random.Random(seed)
    content = bytearray(SOURCE)
    for _ in range(times):
        at, size = choose.randrange(len(content)), choose.choice((1, 1, 3, 20, 400))
        match choose.randrange(5):
            case 0:
                content[at : at + size] = b""
            case 1:
                content[at:at] = choose.choice(SNIPPETS)
            case 2:
                content[at : at + choose.randrange(12)] = choose.choice(SNIPPETS)
            case 3:
                other = choose.randrange(len(content))
                content[at:at] = content[other : other + size]
            case _:
                lines = bytes(content).split(b"\n")
                choose.shuffle(lines[: choose.randrange(len(lines))])
                one, two = choose.randrange(len(lines)), choose.randrange(len(lines))
                lines[one], lines[two] = lines[two], lines[one]
                content = bytearray(b"\n".join(lines))
    return bytes(content)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Core:
    home = Path(tmp_path_factory.mktemp("home"))
    return make_core(home)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 6))
def test_any_edit_gives_a_topology_or_bad_input_and_changes_no_row(
    shared: Core, seed: int, times: int
) -> None:
    source = mutated(seed, times)
    try:
        topology = load.read(source, "lab.yaml")
    except BadInput as error:
        assert error.faults
        assert all(fault.place.startswith("lab.yaml") for fault in error.faults)
        show(error.faults).encode()
    else:
        plan.plan(shared, topology).as_json()
    with shared.store.read() as uow:
        assert uow.count(Site) == uow.count(AuditEvent) == 0


@settings(max_examples=100, deadline=None)
@given(
    source=st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_give_bad_input(source: bytes) -> None:
    with contextlib.suppress(BadInput):
        load.read(source)
        pytest.fail("a topology out of nothing")


_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(
    section=st.sampled_from(
        ["version", "sites", "divisions", "catalogue", "departments", "quotas", "approvals"]
    ),
    value=_values,
)
def test_any_value_in_a_section_is_refused_or_sound(section: str, value: object) -> None:
    with contextlib.suppress(BadInput):
        load.recheck({**DOCUMENT, section: value})
