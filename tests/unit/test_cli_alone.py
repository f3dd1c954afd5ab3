"""A site that can work alone, from the command line: key, export, import, takeover, merge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl import bootstrap, config
from cloudctl.cli import exits
from cloudctl.models import User
from cloudctl.observing import is_observing
from cloudctl.store import Store
from dr.alone import keys, taking_over
from dr.failover.job import UNPLANNED
from dr.plans.facts import Outside
from tests.command_line import CommandLine, a_server, run
from tests.flows.moving import CITY, PROVINCE
from tests.standing_by import BUCKET, Pair, a_pair
from tests.web.conftest import NoClouds


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = a_pair(tmp_path)
    yield made
    made.world.close()


def at(pair: Pair, site: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    core = pair.core(site)
    (core.settings.home / config.FILE_NAME).write_text(f"installation: {core.settings.installation}\n")
    seen = Outside(NoClouds(), witness=pair.world.witness.at(site))
    keyring = pair.keyrings[site]
    with a_server(core, NoClouds(), lambda: keyring, lambda: seen, stores=pair.stores) as url:
        yield CommandLine(core, url, monkeypatch)


@pytest.fixture
def home(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    yield from at(pair, PROVINCE, monkeypatch)


@pytest.fixture
def city(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    yield from at(pair, CITY, monkeypatch)


def test_an_empty_home_becomes_the_cloudctl_of_a_site(
    pair: Pair, home: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, elsewhere = tmp_path / "city-2.json", tmp_path / "elsewhere"
    made = home.rows("dr", "export", "key", "city-2", str(key), user="dave")
    assert (made["state"], key.stat().st_mode & 0o777) == ("made", 0o600)
    file = tmp_path / "export"
    assert home.rows("dr", "export", "file", "city-2", str(file), user="dave")["bytes"] > 1000
    assert home("dr", "export", "file", "city-2", str(file), user="dave").code == exits.USAGE
    monkeypatch.setenv("CLOUDCTL_HOME", str(elsewhere))
    monkeypatch.setattr(bootstrap, "open_stores", lambda _settings: pair.stores)
    assert run(monkeypatch, "dr", "import", "--from", str(file)).code == exits.USAGE
    done = run(monkeypatch, "dr", "import", "--from", str(file), "--key", str(key), "-f", "json")
    assert done.code == 0, done.err
    assert (done.json["name"], done.json["state"], done.json["source"]) == ("city-2", "standby", str(file))
    assert "stands by until two different people" in done.err
    settings = config.load(elsewhere)
    assert settings.installation == "test-installation"
    assert (settings.keys / keys.PRIVATE).stat().st_mode & 0o777 == 0o600
    store = Store(settings.database_url)
    assert is_observing(store)
    with store.read() as uow:
        assert uow.get(User, "dave") is not None
    store.close()
    again = run(monkeypatch, "dr", "import", "-f", "json")
    assert again.code == 0, again.err


def test_an_installation_that_acts_becomes_nobody_s_standby(
    pair: Pair, home: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "open_stores", lambda _settings: pair.stores)
    key = pair.city.settings.keys / keys.PRIVATE
    refused = home("dr", "import", "--from", BUCKET, "--key", str(key))
    assert refused.code == exits.CONFLICT, refused.err
    assert not (pair.home.settings.keys / keys.PRIVATE).exists()


def test_how_old_an_export_is_is_said(pair: Pair, home: CommandLine, city: CommandLine) -> None:
    assert home("dr", "export", "status", user="dave").code == 0
    pair.clock.advance(75)
    told = city("dr", "export", "status", user="dave")
    assert (told.code, "export is 75 s old" in told.err) == (exits.UNAVAILABLE, True)
    [row] = home.rows("dr", "export", "now", user="dave")
    assert (row["name"], row["state"]) == (CITY, "current")
    assert city("dr", "export", "now", user="dave").code == exits.REFUSED


def test_taken_over_by_two_moved_and_merged(pair: Pair, home: CommandLine, city: CommandLine) -> None:
    words = ("dr", "takeover", "--reason", "the province is under water")
    assert city(*words, user="dave").code == exits.REFUSED  # it spoke a moment ago
    pair.world.pass_time(taking_over.SILENT_S + 1)
    assert city.rows(*words, user="dave")["confirmed_by"] == ["dave"]
    assert city.rows(*words, user="lin")["state"] == "alone"
    pair.world.work(CITY, pair.world.begin(UNPLANNED))
    pair.round(CITY)
    ended = city(*words, "--end", user="dave")
    assert (ended.code, "has not merged" in ended.err) == (exits.REFUSED, True)
    shown = home("dr", "merge", "--from", CITY, user="dave")
    assert (shown.code, "failover budget shifted" in shown.out) == (0, True)
    assert pair.world.plan(PROVINCE).active_site_id == PROVINCE
    done = home.rows("dr", "merge", "--from", BUCKET, "--yes", user="dave")
    assert (done["state"], done["plans"][0]["site"]) == ("merged", CITY)
    assert home.rows("dr", "failover", "list", user="dave")[0]["state"] == "shifted"
    pair.clock.advance(30)
    pair.round(PROVINCE)
    assert city.rows(*words, "--end", user="dave")["state"] == "standby"
