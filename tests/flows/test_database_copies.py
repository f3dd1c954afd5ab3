"""cloudctl's own database in the vaults: consistent, sealed, locked, proved by bringing it back."""

import gzip
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudUnavailable, Conflict, SealBroken
from cloudctl.models import AuditEvent, DatabaseCopy, Notice, Vault
from cloudctl.ports import LockMode, Purpose
from cloudctl.store import Store
from dr.database import copies, expiring, flow, recovery
from dr.database.fetching import choose, fetch, find
from dr.points.reading import open_manifest, unlocked
from dr.rebuild import rebuild
from provisioning.drivers.fake_state import Call
from tests.builders import an_actor
from tests.own_database import Owned, own

REST = [(1, True), (2, False), (2, True), (3, False), (4, False), (4, True)]  # of the five puts


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing catches it."""


@pytest.fixture
def owned(core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Owned:
    monkeypatch.setattr(Store, "schema_differences", lambda _store: [])  # as slow as all the rest
    return own(core, clock)


def test_a_copy_is_in_every_vault_and_proved_by_bringing_it_back(core: Core, clock: FrozenClock) -> None:
    copy = own(core, clock).back_up()
    assert (copy.state, copy.level, copy.error_message) == ("protected", "L2", None)
    assert {site: told["level"] for site, told in copy.vaults.items()} == {"province": "L1", "city-1": "L1"}
    assert copy.facts["audit_seq"] > 0
    assert copy.verified_at is not None


def test_what_comes_back_is_the_database_of_that_moment(owned: Owned, tmp_path: Path) -> None:
    copy = owned.back_up()
    owned.change()
    vault = owned.stores.vault("city-1", Purpose.READ)
    head = choose(find(vault, owned.key).points, vault).head
    fetch(vault, head, unlocked(head, owned.key), tmp_path / "back")
    plain = tmp_path / "back.db"
    plain.write_bytes(gzip.decompress((tmp_path / "back" / "database").read_bytes()))
    with sqlite3.connect(plain) as connection:
        [(events, newest)] = connection.execute("SELECT count(*), max(seq) FROM audit_event")
    assert events == newest == copy.facts["audit_seq"]


def test_the_copies_of_all_vaults_are_the_same_bytes_and_nothing_of_it_is_in_clear(owned: Owned) -> None:
    owned.back_up()
    buckets = [owned.stores.vault_bucket(site) for site in ("province", "city-1")]
    assert buckets[0].keys() == buckets[1].keys()
    for key in buckets[0].keys():
        body = buckets[0].find(key).body
        assert body == buckets[1].find(key).body
        assert b"SQLite format" not in body
        assert b"audit.key" not in body


def test_every_object_is_locked_for_as_long_as_the_settings_say(owned: Owned) -> None:
    copy = owned.back_up()
    bucket = owned.stores.vault_bucket("city-1")
    assert {bucket.find(key).retain_until for key in bucket.keys()} == {copy.locked_until}
    assert copy.taken_at is not None
    assert copy.locked_until is not None
    assert copy.locked_until - copy.taken_at >= timedelta(days=30)


def test_nothing_unsealed_stays_on_the_disk(owned: Owned) -> None:
    owned.back_up()
    assert not list((owned.core.settings.home / "database-copies").iterdir())


def test_each_copy_names_the_one_before_so_that_a_missing_one_shows(owned: Owned) -> None:
    first, second = owned.back_up(), owned.back_up()
    bucket = owned.stores.vault_bucket("city-1")
    bucket.drop(first.vaults["city-1"]["head_key"])
    reading = find(owned.stores.vault("city-1", Purpose.READ), owned.key)
    assert [one.head.point for one in reading.points] == [second.id]
    assert [fault.code for fault in reading.faults] == ["gap"]


def test_a_site_s_escrow_key_does_not_open_it(owned: Owned, tmp_path: Path) -> None:
    owned.back_up()
    vault = owned.stores.vault("city-1", Purpose.READ)
    head = choose(find(vault, owned.key).points, vault).head
    assert list(head.keys) == [owned.key.id]
    with pytest.raises(SealBroken):
        open_manifest(vault, head, DataKey.new())


def test_a_flipped_bit_is_named_and_healed_from_the_other_vault(owned: Owned) -> None:
    copy = owned.back_up()
    bucket = owned.stores.vault_bucket("city-1")
    damaged = next(key for key in bucket.keys() if key.endswith("/00002"))
    bucket.flip_bit(damaged, at=500)
    again = owned.prove(copy.id)
    assert (again.state, again.level) == ("protected", "L2")
    assert len(bucket.versions[damaged]) == 2


def test_a_copy_that_is_gone_from_all_vaults_is_suspect_and_says_why(owned: Owned) -> None:
    copy = owned.back_up()
    for site in ("province", "city-1"):
        bucket = owned.stores.vault_bucket(site)
        for key in [key for key in bucket.keys() if key.endswith("/00002")]:
            bucket.drop(key)
    again = owned.prove(copy.id)
    assert (again.state, again.error_code) == ("suspect", "not_proved")
    assert again.level != "L2"
    assert "the vault does not have it" in again.vaults["city-1"]["note"]


def test_a_database_that_was_changed_past_cloudctl_is_no_proof(owned: Owned) -> None:
    with owned.core.store.write() as uow:
        uow.update(AuditEvent, AuditEvent.seq == 1, actor="mallory")
    copy = owned.back_up()
    assert (copy.state, copy.level) == ("suspect", "L1")
    assert "event 1" in str(copy.error_message)
    owned.prove(copy.id)
    with owned.core.store.read() as uow:
        [notice] = uow.all(Notice, Notice.subject_kind == "database_copy")
    assert (notice.user_id, notice.subject_id) == ("dave", copy.id), "told once"


def test_a_vault_that_does_not_answer_is_waited_for_and_then_left_out(
    owned: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "PATIENCE", timedelta(minutes=5))
    owned.stores.vault_bucket("city-1").is_cut_off = True
    copy = owned.back_up()
    assert (copy.state, copy.level) == ("protected", "L2")
    assert copy.vaults["city-1"]["state"] == "missed"
    assert "does not answer" in copy.vaults["city-1"]["note"]
    owned.stores.vault_bucket("city-1").is_cut_off = False
    assert owned.back_up().vaults["city-1"]["state"] == "sealed"


def test_where_no_vault_takes_it_the_copy_failed_and_the_next_is_due_soon(owned: Owned) -> None:
    for site in ("province", "city-1"):
        owned.stores.vault_bucket(site).capacity_bytes = 10
    copy = owned.back_up()
    assert (copy.state, copy.error_code) == ("failed", "refused")
    assert "province" in str(copy.error_message)
    assert copies.begin_due(owned.core) is None
    owned.clock.advance(3600)
    assert copies.begin_due(owned.core) is not None


def test_a_second_copy_waits_for_the_first(owned: Owned) -> None:
    owned.begin()
    with pytest.raises(Conflict, match="already"):
        owned.begin()


def test_the_clock_begins_copies_and_nothing_else_does(owned: Owned) -> None:
    first = copies.begin_due(owned.core)
    assert first is not None
    assert copies.begin_due(owned.core) is None, "it is being made"
    owned.work(first)
    assert copies.begin_due(owned.core) is None
    owned.clock.advance(6 * 3600)
    assert copies.begin_due(owned.core) not in (None, first)


def test_without_vaults_or_a_recovery_key_the_clock_begins_nothing(owned: Owned) -> None:
    (owned.core.settings.keys / recovery.PUBLIC).unlink()
    assert copies.begin_due(owned.core) is None
    with owned.core.store.write() as uow:
        uow.delete(Vault)
    assert copies.begin_due(owned.core) is None


def test_without_the_private_half_a_copy_is_proved_with_the_key_that_was_kept(owned: Owned) -> None:
    (owned.core.settings.keys / recovery.PRIVATE).unlink()
    copy = owned.back_up()
    assert (copy.state, copy.level) == ("protected", "L2")
    assert owned.prove(copy.id).level == "L2"


def test_copies_go_when_their_lock_has_run_out_and_enough_newer_ones_are_proved(
    owned: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "LEAST", 2)
    owned.core = replace(owned.core, settings=replace(owned.core.settings, database_keep_s=3600))
    made = [owned.back_up() for _ in range(3)]
    owned.clock.advance(2 * 3600)
    owned.back_up()
    states = [owned.copy(one.id).state for one in made]
    assert states == ["expired", "expired", "protected"]
    bucket = owned.stores.vault_bucket("city-1")
    assert made[0].vaults["city-1"]["head_key"] in bucket.keys(), "the head stays"
    assert not [key for key in bucket.keys() if f"/{made[0].id}/" in key]


def test_the_copies_are_no_points_of_a_system_to_whoever_rebuilds(owned: Owned) -> None:
    owned.back_up()
    found = rebuild(owned.core, an_actor(owned.core, "dave"), owned.stores, owned.keyring, "city-1")
    assert (found.points, found.new, found.faults) == (0, 0, ())


def test_a_store_that_locks_nothing_still_gets_its_copy(core: Core, clock: FrozenClock) -> None:
    owned = own(core, clock)
    for site in ("province", "city-1"):
        owned.stores.vault_bucket(site).lock = LockMode.NONE
    assert owned.back_up().level == "L2"


@pytest.mark.parametrize(
    ("nth", "is_after"),
    [
        (1, False),
        (3, True),
        (5, False),
        (5, True),
        *(pytest.param(*one, marks=pytest.mark.soak) for one in REST),
    ],
)
def test_a_worker_that_is_killed_at_a_put_leaves_a_copy_that_another_completes(
    owned: Owned, nth: int, is_after: bool
) -> None:
    puts = 0

    def kill(call: Call) -> None:
        nonlocal puts
        puts += call.name == "put"
        if call.name == "put" and puts == nth:
            raise Killed

    bucket = owned.stores.vault_bucket("city-1")
    setattr(bucket, "after" if is_after else "before", kill)
    row = owned.begin()
    with pytest.raises(Killed):
        owned.engine().run(row.operation_id or 0)
    bucket.before = bucket.after = lambda _call: None
    owned.clock.advance(60)
    owned.work(row.operation_id)
    copy = owned.copy(row.id)
    assert (copy.state, copy.level) == ("protected", "L2")
    assert {len(versions) for versions in bucket.versions.values()} == {1}
    with owned.core.store.read() as uow:
        assert uow.count(DatabaseCopy) == 1


def test_an_answer_that_was_lost_puts_nothing_twice(owned: Owned) -> None:
    bucket = owned.stores.vault_bucket("city-1")
    bucket.fail("put", nth=2, error=CloudUnavailable("503"), is_after=True)
    assert owned.back_up().level == "L2"
    assert {len(versions) for versions in bucket.versions.values()} == {1}
