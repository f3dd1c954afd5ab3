"""Copying a point into a vault: everything once, in an order that makes a cut harmless."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl.errors import CloudUnavailable, NotProved, VaultFull
from cloudctl.ports import LockMode, Purpose
from dr.points import replication
from dr.points.format import Progress
from dr.points.head import head_key, manifest_key
from dr.points.manifest import BUCKET, Part
from dr.points.reading import read_piece, stream_piece
from dr.points.replication import Copied, Draft, Journal, replicate
from provisioning.drivers.fake_state import Call
from tests.point_scenes import HOME, Scene, codes, content, rewrite


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing catches it."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def draft(scene: Scene) -> Draft:
    return scene.draft(1, scene.back_up(1, content(1)))


def test_a_copy_has_every_object_and_reads_back_to_the_same_bytes(scene: Scene, draft: Draft) -> None:
    copied = scene.copy(draft)
    assert copied.is_complete
    assert copied.head and copied.manifest
    assert copied.objects_done == copied.objects_total == copied.head.objects == len(scene.native.keys())
    assert copied.put_objects == copied.objects_total + 2  # manifest and head
    store = scene.view().read
    for piece in copied.manifest.pieces:
        plain = read_piece(store, copied.manifest, scene.keys["p-1"], piece)
        assert plain == scene.native.find(piece.name).body
        assert b"".join(stream_piece(store, copied.manifest, scene.keys["p-1"], piece)) == plain
        assert plain not in scene.vault.find(scene.key(piece.number)).body


def test_the_head_comes_last_and_after_the_manifest(scene: Scene, draft: Draft) -> None:
    copied = scene.copy(draft)
    assert copied.head
    puts = [call.subject for call in scene.vault.calls if call.name == "put"]
    assert puts[-2:] == [manifest_key(copied.head), head_key(copied.head)]


def test_every_object_is_locked_until_the_promised_day(scene: Scene, draft: Draft) -> None:
    scene.copy(draft)
    untils = {scene.vault.find(key).retain_until for key in scene.vault.keys()}
    assert untils == {draft.locked_until}


def test_the_copies_in_two_vaults_are_the_same_bytes(scene: Scene, draft: Draft) -> None:
    scene.copy(draft)
    scene.clock.advance(3600)  # the other site was cut off for an hour
    scene.copy(draft, "city-2")
    other = scene.stores.vault_bucket("city-2")
    assert other.keys() == scene.vault.keys()
    assert all(other.find(key).body == scene.vault.find(key).body for key in other.keys())


def test_a_second_run_puts_nothing(scene: Scene, draft: Draft) -> None:
    first = scene.copy(draft)
    second = scene.copy(draft)
    assert second.put_objects == second.put_bytes == 0
    assert (second.head, second.manifest) == (first.head, first.manifest)


@pytest.mark.parametrize("is_after", [False, True], ids=["before it is written", "after it is written"])
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_kill_at_every_put_loses_nothing_and_puts_nothing_twice(
    scene: Scene, draft: Draft, nth: int, is_after: bool
) -> None:
    puts = 0

    def kill(call: Call) -> None:
        nonlocal puts
        puts += call.name == "put"
        if call.name == "put" and puts == nth:
            raise Killed

    if is_after:
        scene.vault.after = kill
    else:
        scene.vault.before = kill
    with pytest.raises(Killed):
        scene.copy(draft)
    scene.vault.before = scene.vault.after = lambda _call: None
    resumed = scene.copy(draft)
    assert resumed.is_complete
    assert scene.look().level == "L1"
    assert {len(versions) for versions in scene.vault.versions.values()} == {1}
    assert len(scene.vault.keys()) == resumed.objects_total + 2


def test_a_journal_spares_the_source_and_losing_it_costs_nothing_else(scene: Scene, draft: Draft) -> None:
    journal, natives = Journal(), {0: scene.stores.native(HOME)}
    asked = 0

    def after_two() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    def run(**more: object) -> Copied:
        return replicate(draft, scene.keys["p-1"], scene.signer, natives, scene.view(), threads=1, **more)  # type: ignore[arg-type]

    first = run(journal=journal, stop=after_two)
    assert not first.is_complete
    assert 0 < first.objects_done < first.objects_total
    assert not [key for key in scene.vault.keys() if key.startswith("heads/")]
    before = scene.native.count("read")
    second = run(journal=journal)
    assert second.is_complete
    descriptions = 2
    read_again = scene.native.count("read") - before - descriptions
    assert read_again == first.objects_total - first.objects_done
    assert run().put_objects == 0


def test_what_rotted_in_the_vault_since_the_first_run_is_put_again(scene: Scene, draft: Draft) -> None:
    copied = scene.copy(draft)
    scene.vault.swap(scene.key(1), scene.key(2))
    again = scene.copy(draft)
    assert again.put_objects == 2
    assert again.head == copied.head
    assert scene.look().level == "L1"


def test_what_is_locked_too_briefly_is_put_again(scene: Scene, draft: Draft) -> None:
    assert draft.locked_until
    scene.copy(draft)
    key = scene.key(3)
    found = scene.vault.find(key)
    scene.vault.versions[key] = [replace(found, retain_until=draft.locked_until - timedelta(days=1))]
    assert scene.copy(draft).put_objects == 1
    assert scene.look().level == "L1"


def test_a_lock_ends_with_a_whole_second_and_never_before_the_promise(scene: Scene, draft: Draft) -> None:
    assert draft.locked_until
    exact = replace(draft, locked_until=draft.locked_until + timedelta(microseconds=1))
    scene.copy(exact)
    untils = {scene.vault.find(key).retain_until for key in scene.vault.keys()}
    assert untils == {draft.locked_until + timedelta(seconds=1)}
    assert scene.copy(exact).put_objects == 0
    assert scene.look().level == "L1"


def test_a_store_without_a_lock_does_not_put_everything_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lock=LockMode.NONE)
    draft = scene.draft(1, scene.back_up(1, content(1)))
    scene.copy(draft)
    assert scene.copy(draft).put_objects == 0
    judgement = scene.look()
    assert (judgement.level, codes(judgement.notes)) == ("L1", {"no_lock"})


def test_a_full_vault_is_said_and_the_next_run_goes_on(scene: Scene, draft: Draft) -> None:
    scene.vault.capacity_bytes = 400 << 10
    with pytest.raises(VaultFull):
        scene.copy(draft)
    had = len(scene.vault.keys())
    assert had > 0
    scene.vault.capacity_bytes = None
    resumed = scene.copy(draft)
    assert resumed.put_objects == resumed.objects_total + 2 - had


def test_a_vault_that_is_cut_off_is_said_and_the_next_run_goes_on(scene: Scene, draft: Draft) -> None:
    scene.vault.fail("put", nth=3, error=CloudUnavailable("503"), is_after=True)
    with pytest.raises(CloudUnavailable):
        scene.copy(draft)
    assert scene.copy(draft).is_complete
    assert {len(versions) for versions in scene.vault.versions.values()} == {1}


def test_a_backup_with_missing_or_surplus_objects_is_refused_with_all_of_them(
    scene: Scene, draft: Draft
) -> None:
    prefix = scene.prefix(1)
    scene.native.drop(f"{prefix}-00001")
    scene.native.drop(f"{prefix}-00003")
    scene.native.duplicate(f"{prefix}-00002", f"{prefix}-00099")
    with pytest.raises(NotProved) as caught:
        scene.copy(draft)
    found = {(fault.place.rpartition("-")[2], fault.code) for fault in caught.value.faults}
    assert found == {("00001", "missing"), ("00003", "missing"), ("00099", "surplus")}
    assert not scene.vault.keys()


def test_a_backup_that_cinder_did_not_finish_is_refused(scene: Scene, draft: Draft) -> None:
    scene.native.drop(f"{scene.prefix(1)}_metadata")
    with pytest.raises(NotProved) as caught:
        scene.copy(draft)
    assert codes(caught.value.faults) == {"missing"}


def test_a_backup_that_ended_too_early_is_refused_where_the_size_is_known(scene: Scene, draft: Draft) -> None:
    part = replace(draft.parts[0], size_bytes=2 << 20)
    with pytest.raises(NotProved) as caught:
        scene.copy(replace(draft, parts=(part,)))
    assert "bad_count" in codes(caught.value.faults)


def test_an_object_that_vanishes_while_it_is_copied_is_named(scene: Scene, draft: Draft) -> None:
    name = f"{scene.prefix(1)}-00002"

    def vanish(call: Call) -> None:
        if call.name == "read" and call.subject == name and name in scene.native.versions:
            scene.native.drop(name)

    scene.native.before = vanish
    with pytest.raises(NotProved) as caught:
        scene.copy(draft)
    assert [(fault.place, fault.code) for fault in caught.value.faults] == [(name, "missing")]


def test_another_head_of_the_point_is_not_written_beside_the_first(scene: Scene, draft: Draft) -> None:
    scene.copy(draft)
    with pytest.raises(NotProved) as caught:
        scene.copy(replace(draft, consistency="quiesced"))
    assert codes(caught.value.faults) == {"other_head"}
    assert scene.look().level == "L1"


def test_ids_that_lead_elsewhere_are_refused(scene: Scene, draft: Draft) -> None:
    for bad in ("../p-2", "a/b", "", "p 1"):
        with pytest.raises(NotProved):
            scene.copy(replace(draft, member=bad))
    assert not scene.vault.keys()


def test_progress_rises_to_everything(scene: Scene, draft: Draft) -> None:
    told: list[Progress] = []
    natives = {0: scene.stores.native(HOME)}
    replicate(
        draft, scene.keys["p-1"], scene.signer, natives, scene.view(), threads=2, on_progress=told.append
    )
    assert [one.objects_done for one in told] == list(range(1, len(told) + 1))
    assert (told[-1].objects_done, told[-1].bytes_done) == (told[-1].objects_total, told[-1].bytes_total)


def test_great_objects_of_a_bucket_are_streamed_and_resume_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (replication, __import__("dr.points.looking", fromlist=["x"])):
        monkeypatch.setattr(module, "STREAM_ABOVE_BYTES", 100_000)
    files = scene.stores.bucket(HOME, "files")
    held = scene.stores.native_bucket(HOME, "files")
    held.write("报表/2026 年.pdf", content(5, 300_000), None)
    held.write("报表/2026 年.pdf", content(6, 310_000), None)
    held.write("small", b"s", None)
    draft = replace(
        scene.draft(1, Part(0, BUCKET, "files", "files")), parts=(Part(0, BUCKET, "files", "files"),)
    )

    def run() -> Copied:
        return replicate(draft, scene.keys["p-1"], scene.signer, {0: files}, scene.view())

    first = run()
    assert first.manifest
    assert [piece.plain.size_bytes for piece in first.manifest.pieces] == [1, 310_000, 300_000]
    assert run().put_objects == 0
    assert scene.look().level == "L1"
    store = scene.stores.vault("city-1", Purpose.READ)
    chunks = stream_piece(store, first.manifest, scene.keys["p-1"], first.manifest.pieces[2])
    assert b"".join(chunks) == content(5, 300_000)


def test_rewriting_the_description_of_the_source_is_noticed(scene: Scene, draft: Draft) -> None:
    def other(told: dict[str, object]) -> None:
        told["backup_id"] = "b-9"

    rewrite(scene.native, f"{scene.prefix(1)}_metadata", other)
    with pytest.raises(NotProved) as caught:
        scene.copy(draft)
    assert codes(caught.value.faults) == {"other_backup"}
