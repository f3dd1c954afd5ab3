"""Reading a vault with one key file and a credential: every point, and every lie."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.envelopes import Digest
from cloudctl.errors import NotFound, NotProved, ObjectMissing, SealBroken
from cloudctl.escrow import EscrowKey
from cloudctl.ports import Purpose
from cloudctl.secrets import Signer
from dr.points.head import Head, Previous, head_key
from dr.points.reading import Reading, open_manifest, read_heads, read_piece, unlocked
from tests.point_scenes import OTHER, Scene, codes, content


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    data = content(1)
    scene.made(1)
    for number in (2, 3):
        data = data[:40_000] + bytes([number]) * 50_000 + data[90_000:]
        draft = scene.draft(number, scene.back_up(number, data, number - 1), number - 1)
        head = scene.copy(draft).head
        assert head
        scene.heads.append(head)
    return scene


def read(scene: Scene, trusted: tuple[str, ...] | None = None) -> Reading:
    return read_heads(scene.stores.vault(OTHER, Purpose.READ), trusted or scene.trusted, "gx")


def test_a_stranger_with_the_key_file_finds_opens_and_reads_everything(scene: Scene, tmp_path: Path) -> None:
    store = scene.stores.vault(OTHER, Purpose.READ)
    escrow = EscrowKey.read(tmp_path / "escrow.key")
    found = read_heads(store, escrow.signers, escrow.installation)
    assert [point.head.point for point in found.points] == ["p-1", "p-2", "p-3"]
    assert (found.faults, found.notes) == ((), ())
    for point in found.points:
        key = unlocked(point.head, escrow)
        manifest = open_manifest(store, point.head, key)
        assert manifest.topology == {"flavor": "m1.small"}
        for piece in manifest.pieces:
            assert read_piece(store, manifest, key, piece) == scene.native.find(piece.name).body
    assert found.points[0].stored_at == scene.clock.now()


def test_an_increment_names_its_chain_the_full_one_first(scene: Scene) -> None:
    found = read(scene)
    assert [point.head.point for point in found.chain("p-3")] == ["p-1", "p-2", "p-3"]
    assert [point.head.kind for point in found.chain("p-3")] == ["full", "incremental", "incremental"]
    with pytest.raises(NotFound):
        found.chain("p-9")
    scene.vault.drop(head_key(scene.heads[0]))
    with pytest.raises(NotProved) as caught:
        read(scene).chain("p-3")
    assert codes(caught.value.faults) == {"no_parent"}


def test_a_missing_point_is_a_gap(scene: Scene) -> None:
    scene.vault.drop(head_key(scene.heads[1]))
    assert [(fault.place, fault.code) for fault in read(scene).faults] == [(head_key(scene.heads[2]), "gap")]


def test_the_first_point_missing_is_a_gap_too(scene: Scene) -> None:
    scene.vault.drop(head_key(scene.heads[0]))
    assert codes(read(scene).faults) == {"gap"}


def test_a_point_replaced_by_another_of_its_number_breaks_the_chain(scene: Scene) -> None:
    head = scene.heads[1]
    other = replace(head, point="p-2b").signed(scene.signer)
    scene.vault.drop(head_key(head))
    scene.view().write.put(head_key(other), other.body())
    assert codes(read(scene).faults) == {"chain_broken"}


def test_two_points_of_one_number_are_said(scene: Scene) -> None:
    other = replace(scene.heads[2], point="p-3b").signed(scene.signer)
    scene.view().write.put(head_key(other), other.body())
    assert codes(read(scene).faults) == {"sequence_twice"}


def test_numbers_of_points_that_failed_leave_no_gap(scene: Scene) -> None:
    last = scene.heads[-1]
    later = replace(
        last, sequence=9, point="p-9", kind="full", parent=None, previous=Previous(3, last.sha256)
    ).signed(scene.signer)
    scene.view().write.put(head_key(later), later.body())
    assert read(scene).faults == ()


def lies(scene: Scene, tmp_path: Path, head: Head) -> dict[str, Head]:
    Signer.make_key(tmp_path / "strange.key")
    return {
        "forged": replace(head, volume_bytes=1),
        "other_signer": replace(head, volume_bytes=1).signed(Signer(tmp_path / "strange.key")),
        "replayed": replace(scene.heads[0]),
        "two_heads": replace(head, volume_bytes=1).signed(scene.signer),
    }


@pytest.mark.parametrize("lie", ["forged", "other_signer", "replayed", "two_heads"])
def test_a_lie_on_top_of_a_head_is_noted_and_believed_by_nobody(
    scene: Scene, tmp_path: Path, lie: str
) -> None:
    scene.view().write.put(head_key(scene.heads[1]), lies(scene, tmp_path, scene.heads[1])[lie].body())
    found = read(scene)
    assert [point.head for point in found.points] == scene.heads
    assert (codes(found.faults), codes(found.notes)) == (set(), {lie})


@pytest.mark.parametrize("lie", ["forged", "other_signer", "replayed"])
def test_a_lie_alone_is_a_fault_and_no_point(scene: Scene, tmp_path: Path, lie: str) -> None:
    place = head_key(scene.heads[2])
    scene.vault.drop(place)
    body = lies(scene, tmp_path, scene.heads[2])[lie].body()
    scene.view().write.put(place, body)
    found = read(scene)
    assert [point.head.point for point in found.points] == ["p-1", "p-2"]
    assert (place, lie) in {(fault.place, fault.code) for fault in found.faults}


def test_delete_markers_and_the_same_head_again_hide_nothing(scene: Scene) -> None:
    scene.view().write.put(head_key(scene.heads[0]), scene.heads[0].body())
    scene.vault.remove(head_key(scene.heads[2]), None)
    found = read(scene)
    assert [point.head for point in found.points] == scene.heads
    assert (codes(found.faults), codes(found.notes)) == (set(), {"hidden"})


def test_nobody_is_trusted_by_default(scene: Scene) -> None:
    found = read(scene, ("00" * 32,))
    assert found.points == ()
    assert codes(found.faults) == {"other_signer"}


def test_only_the_keys_it_was_wrapped_to_open_a_point(scene: Scene, tmp_path: Path) -> None:
    other = EscrowKey.make(tmp_path / "o.key", "gx", "city-2", scene.trusted, scene.clock.now())
    with pytest.raises(SealBroken, match=other.id):
        unlocked(scene.heads[0], other)


def test_a_manifest_that_is_another_is_refused(scene: Scene) -> None:
    store = scene.stores.vault(OTHER, Purpose.READ)
    key = unlocked(scene.heads[0], scene.escrow)
    other = replace(scene.heads[0], manifest=Digest(10, "0" * 64))
    with pytest.raises(NotProved):
        open_manifest(store, other, key)
    told_otherwise = replace(scene.heads[0], objects=3)
    with pytest.raises(NotProved):
        open_manifest(store, told_otherwise, key)
    scene.vault.versions.clear()
    with pytest.raises(ObjectMissing):
        open_manifest(store, scene.heads[0], key)


def test_an_increment_is_checked_against_what_it_rests_on(scene: Scene) -> None:
    first = scene.look(1)
    good = scene.look(2, parents={"b-1": first.blocks[0]})
    assert (good.level, good.faults) == ("L1", ())
    blocks = first.blocks[0]
    rotten = replace(blocks, digests=blocks.digests[:-32] + bytes(32))
    bad = scene.look(2, parents={"b-1": rotten})
    assert codes(bad.faults) == {"parent_differs"}
    assert bad.level == "L0"


def test_restored_bytes_have_the_root_of_the_point(scene: Scene) -> None:
    """Backed up again elsewhere, with other names and at another time."""
    data = content(1)
    one = scene.look(1).blocks[0]
    scene.made(7, seed=1)
    assert scene.look(7).blocks[0].root_sha256 == one.root_sha256
    assert data
