"""What a site needs to work alone: put within a minute of a change, sealed, signed, and taken in whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl import mirror
from cloudctl.actors import INSTALLATION, Role
from cloudctl.errors import BadInput, NotProved, Refused
from cloudctl.models import RoleGrant, Row, Standby, Token, Traffic, User
from cloudctl.ports import Purpose
from dr.alone import exporting, importing, keys, sealing, showing, tables
from provisioning.drivers.fake_objects import FakeStores
from tests.builders import a_person
from tests.flows.moving import CITY, PROVINCE
from tests.standing_by import BUCKET, Pair, a_pair


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = a_pair(tmp_path)
    yield made
    made.world.close()


def opened(pair: Pair) -> importing.Opening:
    return importing.opening(pair.city.settings.keys / keys.PRIVATE)[0]


def read(pair: Pair) -> importing.Found:
    return importing.read(pair.stores, opened(pair), BUCKET)


def objects(pair: Pair, site: str = CITY) -> list[str]:
    return [one.key for one in pair.stores.vault(site, Purpose.READ).list_versions("standby/")]


def test_every_table_is_exported_or_there_is_a_reason_why_not() -> None:
    kept = {one.model for one in tables.KEPT}
    named = {mapper.class_ for mapper in Row.registry.mappers}
    assert kept | set(tables.LEFT_OUT) == named
    assert not kept & set(tables.LEFT_OUT)
    assert all(tables.LEFT_OUT.values())


def test_what_names_another_row_is_never_exported_without_it() -> None:
    kept = {one.name for one in tables.KEPT}
    assert {table for one in tables.KEPT for table in mirror.references(one).values()} <= kept


def test_the_number_of_an_operation_never_leaves_its_installation() -> None:
    assert [one.name for one in tables.KEPT for column in one.columns if column.name == "operation_id"] == []


def test_all_rows_are_the_same_at_the_city(pair: Pair) -> None:
    with pair.home.store.read() as uow:
        there = mirror.read(uow, tables.KEPT)
    with pair.city.store.read() as uow:
        assert mirror.read(uow, tables.KEPT) == there
    assert sum(map(len, there.values())) > 30
    for name in ("box.key", "points.key"):
        assert (pair.city.settings.keys / name).read_bytes() == (pair.home.settings.keys / name).read_bytes()
        assert (pair.city.settings.keys / name).stat().st_mode & 0o777 == 0o600
    assert (pair.city.settings.keys / "audit.key").read_bytes() != (
        pair.home.settings.keys / "audit.key"
    ).read_bytes()


def test_a_change_is_at_the_city_after_two_rounds_of_a_worker(pair: Pair) -> None:
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.need(User, "gao").name == "gao"
        assert uow.count(RoleGrant, RoleGrant.user_id == "gao") == 1
    assert pair.exported().sequence == 2
    with pair.home.store.write() as uow:
        uow.delete(RoleGrant, RoleGrant.user_id == "gao")
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.count(RoleGrant, RoleGrant.user_id == "gao") == 0


def test_what_has_not_changed_is_only_said_to_hold_twice_a_minute(pair: Pair) -> None:
    before = pair.exported()
    pair.clock.advance(15)
    pair.round()
    assert pair.exported().put_at == before.put_at
    pair.clock.advance(15)
    pair.round()
    after = pair.exported()
    assert (after.sequence, after.head["body"]) == (1, before.head["body"])
    assert after.put_at is not None
    assert before.put_at is not None
    assert after.put_at - before.put_at == timedelta(seconds=30)
    assert pair.standby().seen_at == pair.clock.now()


def test_only_the_newest_export_stays_in_the_vault(pair: Pair) -> None:
    for number in range(3):
        a_person(pair.home, f"p{number}", Role.AUDITOR, INSTALLATION)
        pair.clock.advance(15)
        pair.round(PROVINCE)
    head = pair.exported().head
    assert objects(pair) == [head["body"], "standby/test-installation/city-1/head"]
    assert objects(pair, PROVINCE) == []


def test_nothing_of_it_can_be_read_without_the_key_of_the_site(pair: Pair) -> None:
    body = pair.stores.vault(CITY, Purpose.READ).read(pair.exported().head["body"])
    assert b"dave" not in body
    assert body.startswith(b"CCSEAL1")
    other = pair.home.settings.home / "other.json"
    keys.make(pair.home.settings, "city-2", other, pair.keyrings[PROVINCE].signer.public, pair.clock.now())
    with pytest.raises(NotProved, match="cannot be used"):
        importing.read(pair.stores, importing.opening(other)[0], BUCKET)


def test_an_age_is_told(pair: Pair) -> None:
    pair.clock.advance(75)
    with pair.city.store.read() as uow:
        told = showing.overview(uow, pair.actor("dave"), pair.clock.now())
    assert (told["state"], told["standby"]["age_s"]) == ("standby", 75.0)
    with pair.home.store.read() as uow:
        [row] = showing.overview(uow, pair.actor("dave", PROVINCE), pair.clock.now())["exports"]
    assert (row["state"], row["age_s"]) == ("old", 75.0)


@pytest.mark.parametrize("harm", ["head", "body", "cut", "signature"])
def test_what_somebody_has_changed_is_not_taken_in(pair: Pair, harm: str) -> None:
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(15)
    pair.round(PROVINCE)
    vault = pair.stores.vault(CITY, Purpose.WRITE)
    head, place = pair.exported().head, "standby/test-installation/city-1/head"
    reading = pair.stores.vault(CITY, Purpose.READ)
    raw, body = reading.read(place), reading.read(head["body"])
    if harm == "head":
        vault.put(place, raw.replace(b'"sequence":2', b'"sequence":9'))
    elif harm == "signature":
        vault.put(place, raw.replace(head["signature"].encode(), b"00" * 64))
    else:
        vault.put(head["body"], body[:-1] + b"\0" if harm == "body" else body[:100])
    with pytest.raises(NotProved):
        read(pair)
    pair.round(CITY)
    assert "cannot be used" in pair.standby().error
    with pair.city.store.read() as uow:
        assert uow.get(User, "gao") is None


def test_an_older_export_is_refused(pair: Pair) -> None:
    old = read(pair)
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(15)
    pair.round()
    with pytest.raises(Refused, match="older than what is known"):
        importing.take_in(pair.city, old)


def test_an_export_of_another_schema_or_for_another_site_is_refused(pair: Pair) -> None:
    found = read(pair)
    with pytest.raises(Refused, match="install the same version"):
        importing.take_in(pair.city, replace(found, content={**found.content, "schema": "9999"}))
    with pytest.raises(Refused, match="is for city-2"):
        importing.take_in(pair.city, replace(found, head=replace(found.head, to="city-2")))


def test_a_vault_that_is_away_is_told_and_tried_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.stores.vault_bucket(CITY).is_cut_off = True
    pair.clock.advance(15)
    pair.round(PROVINCE)
    assert pair.exported().error
    pair.stores.vault_bucket(CITY).is_cut_off = False
    pair.clock.advance(15)
    pair.round()
    assert (pair.exported().error, pair.exported().sequence) == ("", 2)
    with pair.city.store.read() as uow:
        assert uow.get(User, "gao") is not None


def test_two_rows_that_changed_places_are_taken_in_too(pair: Pair) -> None:
    def named(first: str, second: str) -> None:
        with pair.home.store.write() as uow:
            uow.delete(Traffic)
            for key, name in ((1, first), (2, second)):
                uow.add(
                    Traffic(id=key, name=name, ttl_s=30, addresses={}, weights={}, state="balanced",
                            created_at=pair.clock.now(), created_by="dave")
                )  # fmt: skip
        pair.clock.advance(15)
        pair.round()

    named("a.example.", "b.example.")
    named("b.example.", "a.example.")
    with pair.city.store.read() as uow:
        assert uow.column(Traffic.name, Traffic.id == 1) == ["b.example."]
        assert uow.count(User) > 3
    assert pair.standby().error == ""


def test_whoever_signed_in_at_the_city_stays_signed_in(pair: Pair) -> None:
    def a_token(site: str, name: str) -> None:
        with pair.core(site).store.write() as uow:
            now = pair.clock.now()
            uow.add(Token(id=name, user_id="dave", name=name, sha256=name, created_at=now, expires_at=now))

    a_token(CITY, "here")
    a_token(PROVINCE, "there")
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert set(uow.column(Token.id)) == {"here", "there"}


def test_it_can_be_carried_in_a_file(pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "export"
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(75)
    file.write_bytes(exporting.as_file(pair.home, pair.keyrings[PROVINCE], CITY))
    nowhere = FakeStores(pair.clock, ())
    row = importing.take_in(pair.city, importing.read(nowhere, opened(pair), str(file)))
    assert (row.source, row.seen_at) == (str(file), pair.clock.now())
    with pytest.raises(Refused, match="nothing is exported to"):
        exporting.as_file(pair.home, pair.keyrings[PROVINCE], "city-9")


def test_a_body_that_somebody_deleted_is_put_again(pair: Pair) -> None:
    pair.stores.vault_bucket(CITY).drop(pair.exported().head["body"])
    pair.clock.advance(30)
    pair.round(PROVINCE)
    assert read(pair).head.sequence == 2


def test_a_standby_exports_nothing(pair: Pair) -> None:
    with pytest.raises(Refused, match="nothing is exported from here"):
        exporting.export_now(pair.city, pair.actor("dave"), pair.stores, pair.keyrings[CITY])
    with pair.city.store.read() as uow:
        assert uow.count(Standby) == 1


def test_an_escrow_key_is_no_standby_key(pair: Pair, tmp_path: Path) -> None:
    from cloudctl.escrow import EscrowKey

    file = tmp_path / "escrow.json"
    EscrowKey.make(file, "test-installation", CITY, (), pair.clock.now())
    with pytest.raises(BadInput, match="standby key"):
        keys.read(file)


def test_an_export_now_is_put_and_recorded(pair: Pair) -> None:
    before = pair.exported().put_at
    pair.clock.advance(1)
    dave, keyring = pair.actor("dave", PROVINCE), pair.keyrings[PROVINCE]
    [row] = exporting.export_now(pair.home, dave, pair.stores, keyring)
    assert (row["name"], row["state"], row["age_s"]) == (CITY, "current", 0.0)
    assert pair.exported().put_at != before


def test_a_worker_that_died_between_body_and_head_leaves_the_last_export_whole(pair: Pair) -> None:
    a_person(pair.home, "gao", Role.DR_OFFICER, INSTALLATION)
    pair.clock.advance(15)
    died = RuntimeError("killed")

    def no_head(*_names: str) -> str:
        raise died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "head_key", no_head)
        with pytest.raises(RuntimeError):
            pair.round(PROVINCE)
    assert read(pair).head.sequence == 1
    pair.clock.advance(15)
    pair.round(PROVINCE)
    assert pair.exported().sequence == 1  # the claim of the dead one still holds
    pair.clock.advance(15)
    pair.round()
    assert read(pair).head.sequence == 2
    assert len(objects(pair)) == 2
