"""cloudctl's own database from the command line, from the first copy to an installation that came back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl import bootstrap, config
from cloudctl.cli import exits
from cloudctl.core import Core
from cloudctl.models import DatabaseCopy
from cloudctl.observing import is_observing
from cloudctl.store import Store
from dr.database import recovery
from tests.command_line import CommandLine, a_server, run
from tests.own_database import Owned, own


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def owned(core: Core, monkeypatch: pytest.MonkeyPatch) -> Owned:
    monkeypatch.setattr(Store, "schema_differences", lambda _store: [])
    return own(core, core.clock)  # type: ignore[arg-type]


@pytest.fixture
def cloudctl(owned: Owned, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(owned.core, NoClouds()) as url:
        yield CommandLine(owned.core, url, monkeypatch)


def test_copies_are_begun_listed_and_verified(cloudctl: CommandLine, owned: Owned) -> None:
    begun = cloudctl.rows("database", "backup", user="dave")
    assert begun["state"] == "making"
    assert cloudctl("database", "backup", user="dave").code == exits.CONFLICT
    owned.work(begun["operation_id"])
    [row] = cloudctl.rows("database", "list", user="dave")
    assert (row["id"], row["state"], row["level"]) == (begun["id"], "protected", "L2")
    again = cloudctl.rows("database", "verify", row["id"][:8], user="dave")
    owned.work(again["operation_id"])
    shown = cloudctl("database", "show", user="dave")
    assert "acting" in shown.out
    assert "protected L2" in shown.out
    assert cloudctl("database", "list", user="alice").code == exits.REFUSED


def test_a_new_recovery_key_opens_what_comes_after_it(
    cloudctl: CommandLine, owned: Owned, tmp_path: Path
) -> None:
    settings = owned.core.settings
    (settings.home / config.FILE_NAME).write_text(f"installation: {settings.installation}\n")
    file = tmp_path / "recovery.json"
    made = cloudctl.rows("database", "key", str(file), user="dave")
    assert file.stat().st_mode & 0o777 == 0o600
    assert owned.back_up().key_id == made["id"] != owned.key.id
    assert cloudctl("database", "key", str(file), user="dave").code == exits.FAILED


def test_an_installation_comes_back_out_of_a_vault_and_says_that_it_observes(
    owned: Owned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = owned.back_up()
    elsewhere, key = tmp_path / "elsewhere", owned.core.settings.keys / recovery.PRIVATE
    monkeypatch.setattr(bootstrap, "open_stores", lambda _settings: owned.stores)
    monkeypatch.setenv("CLOUDCTL_HOME", str(elsewhere))
    words = ("init", "--restore-from", "s3://vault-city-1")
    assert run(monkeypatch, *words).code == exits.USAGE
    assert run(monkeypatch, "init", "--recovery-key", str(key)).code == exits.USAGE
    tried = run(monkeypatch, *words, "--recovery-key", str(key), "--dry-run", "-f", "json")
    assert (tried.code, tried.json["copy"]) == (0, copy.id)
    assert not elsewhere.exists()
    done = run(monkeypatch, *words, "--recovery-key", str(key), "-f", "json")
    assert done.code == 0, done.err
    assert (done.json["copy"], done.json["events"]) == (copy.id, copy.facts["audit_seq"])
    assert "cloudctl database confirm" in done.err
    store = Store(config.load(elsewhere).database_url)
    assert is_observing(store)
    with store.read() as uow:
        assert uow.need(DatabaseCopy, copy.id).state == "sealed"
    store.close()
    assert run(monkeypatch, *words, "--recovery-key", str(key)).code == exits.CONFLICT
    looked = run(monkeypatch, "doctor", "-f", "json")
    [found] = [row for row in looked.json if row["name"] == "observe only"]
    assert (found["state"], found["advice"]) == (
        "warn",
        "two different people run: cloudctl database confirm",
    )
