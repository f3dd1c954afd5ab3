"""The name server of the lab: at the third place alone, with a key of its own that stays."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from lab import Lab, extras, nameserver
from lab.layout import Layout
from lab.sites import THIRD, plan
from provisioning.drivers.dns_file import read_masters


def test_it_is_at_the_third_place_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    extras.choose(layout, ["dns"])
    places = extras.places(extras.chosen(layout), plan(1))
    having = [place for place in places if nameserver.services(layout, place)]
    assert having == [THIRD]
    assert [one.name for one in extras.daemons_at(layout, THIRD)] == ["pdns"]


def test_its_zone_and_its_key_are_made_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    nameserver.create(layout)
    told = layout.dns_yaml.read_text()
    assert layout.dns_yaml.stat().st_mode & 0o077 == 0
    [master] = read_masters(layout.dns_yaml)
    assert (master.zone, master.server, master.gives_shares) == ("gov.lab.", THIRD.address, True)
    database = layout.site(THIRD).data / "pdns" / "zones.db"
    with closing(sqlite3.connect(database)) as zones:
        assert zones.execute("SELECT secret FROM tsigkeys").fetchall() == [(master.secret,)]
    nameserver.create(layout)
    assert layout.dns_yaml.read_text() == told
    assert layout.dns_yaml in Lab(tmp_path).made


def test_powerdns_takes_its_configuration(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    nameserver.create(layout)
    folder = layout.site(THIRD).data / "pdns"
    said = subprocess.run(
        ["pdns_server", f"--config-dir={folder}", "--config=check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, "unknown" in (said.stdout + said.stderr).lower()) == (0, False), said.stderr


def test_a_lab_that_is_destroyed_tells_of_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    nameserver.create(layout)
    nameserver.forget(layout)
    nameserver.forget(layout)
    assert not layout.dns_yaml.exists()
