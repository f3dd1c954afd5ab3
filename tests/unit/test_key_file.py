"""Files that say how something outside is reached: what is wrong with one never quotes it."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from cloudctl.bootstrap import App
from cloudctl.core import Core
from cloudctl.errors import Misconfigured, Refused
from provisioning.drivers.dns_file import read_masters
from provisioning.drivers.storage_file import read_storage
from provisioning.drivers.stores_file import read_stores
from provisioning.drivers.witness_file import read_witness

READERS: list[Callable[[Path], Any]] = [read_masters, read_storage, read_stores, read_witness]


@pytest.fixture(params=READERS, ids=lambda one: one.__name__)
def read(request: pytest.FixtureRequest) -> Callable[[Path], Any]:
    return cast("Callable[[Path], Any]", request.param)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"zones:\n  - secret: [hush\n", 3),
        (b"a: hush\n\tb: hush\n", 2),
        (b"hush: \xff\xfe\n", 1),
        (b"hush: !!python/object:os.system {}\n", 1),
    ],
    ids=["open bracket", "tab", "bytes", "tag"],
)
def test_what_is_no_yaml_is_named_by_its_line_and_not_quoted(
    read: Callable[[Path], Any], tmp_path: Path, written: bytes, line: int
) -> None:
    file = tmp_path / "some.yaml"
    file.touch(mode=0o600)
    file.write_bytes(written)
    with pytest.raises(Misconfigured) as refused:
        read(file)
    [fault] = refused.value.faults
    assert (fault.place, fault.code, fault.params) == (str(file), "unreadable", {"line": line})
    assert "hush" not in "".join(traceback.format_exception(refused.value))


def test_what_cannot_be_opened_says_why(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        read(tmp_path)
    [fault] = refused.value.faults
    assert (fault.code, fault.params) == ("unreadable", {"error": "Is a directory"})


def test_an_installation_without_dns_yaml_refuses_to_steer_and_is_not_broken(core: Core) -> None:
    app = App(core, *[cast("Any", None)] * 6)
    with pytest.raises(Refused, match=r"dns\.yaml"):
        app.dns()
    core.settings.dns_file.write_text("zones: []\n", encoding="utf-8")
    assert app.dns()
