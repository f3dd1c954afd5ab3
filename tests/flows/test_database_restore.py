"""An installation out of a vault: whole, examined, and observing until two different people say go."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl import bootstrap, config
from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.bringing_back import BroughtBack, Source, bring_back
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotProved,
    ObserveOnly,
    SecondPersonNeeded,
    WrongState,
)
from cloudctl.escrow import EscrowKey
from cloudctl.initialise import Wish
from cloudctl.models import DatabaseCopy, DatabaseRestore, Notice, Operation
from cloudctl.observing import is_observing
from cloudctl.operations import Engine, start
from cloudctl.ports import Purpose
from cloudctl.secrets import Box
from cloudctl.store import Store
from dr.database import confirming, copies, recovery
from dr.database.fetching import find
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.own_database import Owned, own

FROM = "s3://vault-city-1"


@pytest.fixture
def owned(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Owned:
    monkeypatch.setattr(Store, "schema_differences", lambda _store: [])  # as slow as all the rest; one has it
    return own(core, clock)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere"


def back(owned: Owned, home: Path, copy: str = "", **more: bool) -> BroughtBack:
    source = Source(FROM, owned.core.settings.keys / recovery.PRIVATE, copy)
    return bring_back(home, Wish(), source, "local:root", stores=owned.stores, clock=owned.clock, **more)


def core_of(home: Path, clock: FrozenClock) -> Core:
    return bootstrap.open_core(config.load(home), clock, bootstrap.SilentBell())


def again(owned: Owned, home: Path) -> Owned:
    """The installation that came back, with a worker of its own."""
    core = core_of(home, owned.clock)
    box = Box(core.settings.keys / "box.key")
    return replace(owned, core=core, keyring=replace(owned.keyring, box=box))


def somebody(name: str, role: Role = Role.PROVINCE_ADMIN) -> Actor:
    return Actor(name, name, grants=frozenset({Grant(role, INSTALLATION)}))


def test_everything_that_was_known_is_known_again(owned: Owned, elsewhere: Path, core: Core) -> None:
    copy = owned.back_up()
    found = back(owned, elsewhere)
    assert found.copy.head.point == copy.id
    assert found.examined is not None
    assert found.examined.events == copy.facts["audit_seq"]
    there = core_of(elsewhere, owned.clock)
    assert there.settings.installation == core.settings.installation
    for name in ("audit.key", "box.key", "points.key", "recovery.pub"):
        assert (there.settings.keys / name).read_bytes() == (core.settings.keys / name).read_bytes()
        assert (there.settings.keys / name).stat().st_mode & 0o777 == 0o600
    assert there.audit.verify(there.store).is_intact
    with there.store.read() as uow:
        assert uow.count(DatabaseRestore) == 1
        assert uow.count(Notice, Notice.needs_action.is_(True)) >= 1
    assert not (elsewhere / "restoring").exists()
    there.store.close()


def test_it_observes_until_two_different_people_have_said_so(owned: Owned, elsewhere: Path) -> None:
    owned.back_up()
    back(owned, elsewhere)
    core = core_of(elsewhere, owned.clock)
    assert is_observing(core.store)
    with pytest.raises(NotAllowed):
        confirming.confirm(core, somebody("sam", Role.SYSTEM_ADMIN), "all looked at")
    with pytest.raises(BadInput):
        confirming.confirm(core, somebody("dave"), " ")
    first = confirming.confirm(core, somebody("dave"), "clouds compared")
    assert (first["state"], first["confirmations_missing"]) == ("observing", 1)
    with pytest.raises(SecondPersonNeeded):
        confirming.confirm(core, somebody("dave"), "once more")
    assert is_observing(core.store)
    last = confirming.confirm(core, somebody("erin", Role.CLOUD_ADMIN), "the old one is switched off")
    assert last["state"] == "acting"
    assert not is_observing(core.store)
    with pytest.raises(WrongState):
        confirming.confirm(core, somebody("dave"), "again")
    assert core.audit.verify(core.store).is_intact
    core.store.close()


def test_nothing_that_acts_begins_or_goes_on_while_it_observes(owned: Owned, elsewhere: Path) -> None:
    with owned.core.store.write() as uow:
        old = start(uow, owned.clock, "build", ("service_request", 1), "province", 600).id
        harmless = start(uow, owned.clock, "bulletin", ("bulletin", 1), None, 600).id
    owned.back_up()
    back(owned, elsewhere)
    core = core_of(elsewhere, owned.clock)
    engine = Engine(core.store, owned.clock, {"build": None, "bulletin": None})  # type: ignore[dict-item]
    assert engine.due() == [harmless]
    assert not engine.run(old)
    with core.store.write() as uow, pytest.raises(ObserveOnly):
        start(uow, owned.clock, "backup", ("recovery_point", "p"), "province", 600)
    with pytest.raises(ObserveOnly):
        copies.back_up(core, somebody("dave"))
    owned.clock.advance(7 * 86400)
    assert copies.begin_due(core) is None
    confirming.confirm(core, somebody("dave"), "compared")
    confirming.confirm(core, somebody("erin"), "compared")
    assert old in engine.due()
    with core.store.read() as uow:
        row = uow.need(Operation, old)
        assert row.deadline_at is not None
        assert (row.deadline_at - owned.clock.now()).total_seconds() == 600
    core.store.close()


def test_clouds_and_vaults_can_be_looked_at_and_not_changed(
    owned: Owned, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned.back_up()
    back(owned, elsewhere)
    clouds = FakeClouds({"province": FakeCloud("province", owned.clock)})
    app = bootstrap.open_app(elsewhere, clouds=clouds, stores=owned.stores)
    cloud = app.clouds.at("province")
    assert cloud.list_flavors()
    assert cloud.inspect().user
    with pytest.raises(ObserveOnly):
        cloud.zero_default_quotas()
    with pytest.raises(ObserveOnly):
        cloud.create_project("d", "n", "", [])
    with pytest.raises(ObserveOnly):
        cloud.in_project("p").delete_server("s")
    assert list(app.stores.vault("city-1", Purpose.READ).list())
    for purpose in (Purpose.WRITE, Purpose.EXPIRE):
        with pytest.raises(ObserveOnly):
            app.stores.vault("city-1", purpose)
    app.begin_due_points()
    confirming.confirm(app.core, somebody("dave"), "compared")
    confirming.confirm(app.core, somebody("erin"), "compared")
    cloud.zero_default_quotas()
    app.stores.vault("city-1", Purpose.WRITE)
    app.close()


def test_after_that_copies_go_on_in_the_same_chain(owned: Owned, elsewhere: Path) -> None:
    first = owned.back_up()
    back(owned, elsewhere)
    new = again(owned, elsewhere)
    with new.core.store.read() as uow:
        row = uow.need(DatabaseCopy, first.id)
        assert (row.state, row.level) == ("sealed", None), "nothing is believed before it is proved"
    confirming.confirm(new.core, somebody("dave"), "compared")
    confirming.confirm(new.core, somebody("erin"), "compared")
    assert new.prove(first.id).level == "L2"
    second = new.back_up()
    assert (second.sequence, second.level) == (2, "L2")
    reading = find(owned.stores.vault("city-1", Purpose.READ), owned.key)
    assert [one.head.sequence for one in reading.points] == [1, 2]
    assert reading.faults == ()
    new.core.store.close()


def test_an_older_copy_can_be_named_and_the_newer_ones_are_not_forgotten(
    owned: Owned, elsewhere: Path
) -> None:
    first, second = owned.back_up(), owned.back_up()
    found = back(owned, elsewhere, first.id[:8])
    assert found.copy.head.point == first.id
    core = core_of(elsewhere, owned.clock)
    with core.store.read() as uow:
        assert uow.need(DatabaseCopy, second.id).sequence == 2
    core.store.close()


def test_a_dry_run_says_which_copy_and_writes_nothing(owned: Owned, elsewhere: Path) -> None:
    copy = owned.back_up()
    assert copy.id[:8] in back(owned, elsewhere, dry_run=True).parts[0].note
    assert not elsewhere.exists()


def test_where_an_installation_is_nothing_is_written_over(owned: Owned, elsewhere: Path) -> None:
    owned.back_up()
    back(owned, elsewhere)
    with pytest.raises(Conflict, match="already"):
        back(owned, elsewhere)
    other = elsewhere.with_name("other")
    (other / "keys").mkdir(parents=True)
    with pytest.raises(Conflict, match="written over"):
        back(owned, other)


@pytest.mark.parametrize("at", ["fetch", "load", "migrate", "write_configuration"])
def test_a_restore_that_was_killed_begins_anew(
    owned: Owned, elsewhere: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned.back_up()

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    targets = {
        "fetch": "cloudctl.bringing_back.read_home",
        "load": "cloudctl.bringing_back.examine",
        "migrate": "cloudctl.bringing_back.taking_up.take_up",
        "write_configuration": "cloudctl.bringing_back.write_configuration",
    }
    with monkeypatch.context() as patch:
        patch.setattr(targets[at], kill)
        with pytest.raises(KeyboardInterrupt):
            back(owned, elsewhere)
    assert not (elsewhere / "cloudctl.yaml").exists(), "nothing works yet"
    back(owned, elsewhere)
    core = core_of(elsewhere, owned.clock)
    assert is_observing(core.store)
    assert core.audit.verify(core.store).is_intact
    core.store.close()


def test_a_site_s_escrow_key_is_told_apart(owned: Owned, elsewhere: Path, tmp_path: Path) -> None:
    owned.back_up()
    file = tmp_path / "city-1.json"
    EscrowKey.make(file, owned.key.installation, "city-1", owned.key.signers, owned.clock.now())
    with pytest.raises(BadInput) as refused:
        bring_back(elsewhere, Wish(), Source(FROM, file), "local:root", stores=owned.stores)
    assert refused.value.faults[0].code == "other_key"
    assert not elsewhere.exists()


def test_a_vault_without_a_copy_says_so(owned: Owned, elsewhere: Path) -> None:
    with pytest.raises(NotProved) as refused:
        back(owned, elsewhere)
    assert refused.value.faults[0].code == "missing"
    assert not elsewhere.exists()


def test_a_forged_copy_is_not_believed_and_the_one_before_comes_back(owned: Owned, elsewhere: Path) -> None:
    first = owned.back_up()
    bucket = owned.stores.vault_bucket("city-1")
    place = first.vaults["city-1"]["head_key"]
    told = json.loads(bucket.find(place).body)
    forged = json.dumps({**told, "sequence": 9, "point": "f" * 32})
    bucket.write(place.replace(f"1-{first.id}", f"9-{'f' * 32}"), forged.encode(), None)
    found = back(owned, elsewhere)
    assert found.copy.head.point == first.id
    assert "forged" in {one.code for one in found.notes}


def test_what_is_not_whole_is_refused_with_every_fault(owned: Owned, elsewhere: Path) -> None:
    owned.back_up()
    bucket = owned.stores.vault_bucket("city-1")
    bucket.flip_bit(next(key for key in bucket.keys() if key.endswith("/00002")), at=300)
    with pytest.raises(NotProved):
        back(owned, elsewhere)
    assert not (elsewhere / "cloudctl.db").exists()
    assert not (elsewhere / "cloudctl.yaml").exists()
