"""Cinder's chunked format: what belongs to a backup, and every byte of it checked by Cinder's own hashes."""

import base64
import bz2
import hashlib
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from cloudctl.errors import NotProved
from dr.points.blocks import BlockList, differences
from dr.points.cinder_chunked import CinderChunked, CinderExpectation
from dr.points.cinder_record import encoded, read_record
from dr.points.format import Prepared
from dr.points.inflating import inflate
from tests.point_scenes import HOME, Scene, codes, content, packed, record_url

CINDER = CinderChunked()
DATA = content(1)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def prepared(scene: Scene, number: int, data: bytes, parent: int | None = None) -> Prepared:
    return CINDER.prepare(scene.back_up(number, data, parent), scene.stores.native(HOME))


def expected(scene: Scene, one: Prepared) -> CinderExpectation:
    texts = {source.name: scene.native.find(source.name).body for source in one.sources[-2:]}
    return CINDER.described(one.part, texts)


def test_a_full_backup_covers_every_byte_and_checks(scene: Scene) -> None:
    one = prepared(scene, 1, DATA)
    told = expected(scene, one)
    assert [source.role for source in one.sources] == ["data"] * 4 + ["hashes", "description"]
    assert (one.part.size_bytes, one.part.block_bytes) == (len(DATA), 32 << 10)
    assert told.faults() == []
    for source in one.sources:
        assert told.check(source.name, scene.native.find(source.name).body) == []


def test_equal_bytes_have_an_equal_root_and_others_another(scene: Scene) -> None:
    one, same = prepared(scene, 1, DATA), prepared(scene, 2, DATA)
    other = prepared(scene, 3, DATA[:-1] + b"!")
    assert one.part.root_sha256 == same.part.root_sha256
    assert one.part.root_sha256 != other.part.root_sha256


def test_an_increment_has_the_root_of_the_whole_volume_and_fits_on_its_parent(scene: Scene) -> None:
    changed = DATA[:100_000] + b"#" * 70_000 + DATA[170_000:]
    full, step = prepared(scene, 1, DATA), prepared(scene, 2, changed, parent=1)
    again = prepared(scene, 3, changed)
    told = expected(scene, step)
    assert step.part.root_sha256 == again.part.root_sha256
    assert (step.part.is_incremental, step.part.parent_backup_id) == (True, "b-1")
    assert told.faults() == []
    parent = expected(scene, full).blocks
    assert told.rests_on(parent) == []
    other = expected(scene, prepared(scene, 4, b"x" * 32_768 + DATA[32_768:])).blocks
    assert [(fault.code, fault.params) for fault in told.rests_on(other)] == [
        ("parent_differs", {"start": 0, "end": 98_304})
    ]


def extents(scene: Scene, change: Any) -> set[str]:
    """What is said about a full backup whose description is changed."""
    one = prepared(scene, 1, DATA)
    names = [source.name for source in one.sources]
    told = json.loads(scene.native.find(names[-1]).body)
    change(told["objects"])
    texts = {names[-1]: json.dumps(told).encode(), names[-2]: scene.native.find(names[-2]).body}
    try:
        return codes(CINDER.described(one.part, texts).faults())
    except NotProved as error:
        return codes(error.faults)


def test_holes_overlaps_and_bytes_beyond_the_volume_are_named(scene: Scene) -> None:
    def set_(at: int, **facts: object) -> Any:
        return lambda objects: next(iter(objects[at].values())).update(facts)

    assert extents(scene, lambda objects: objects.pop(1)) == {"hole"}
    assert extents(scene, lambda objects: objects.pop(3)) == {"hole"}
    assert extents(scene, set_(1, offset=0)) == {"hole", "overlap"}
    assert extents(scene, set_(3, length=(256 << 10) + 5)) == {"off_blocks"}
    assert extents(scene, set_(2, offset=-1)) == {"bad_object", "hole"} - {"hole"}
    assert extents(scene, set_(2, md5=None)) == set()  # shows when the object is read
    assert extents(scene, lambda objects: objects.append(objects[0])) == {"name_twice"}
    assert extents(scene, lambda objects: objects.append({"elsewhere": {}})) == {"bad_object"}
    assert extents(scene, lambda objects: objects.append(7)) == {"bad_object"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (lambda plain: packed(plain)[:-3], {"does_not_inflate"}),
        (lambda plain: packed(plain) + b"x", {"does_not_inflate"}),
        (lambda plain: packed(plain[:-1]), {"does_not_inflate"}),
        (lambda plain: packed(plain + bytes(1 << 20)), {"does_not_inflate"}),
        (lambda plain: packed(plain[:-1] + b"?"), {"md5_differs", "block_differs"}),
        (lambda plain: plain, {"does_not_inflate"}),
    ],
)
def test_an_object_that_is_not_what_cinder_wrote_is_named(scene: Scene, body: Any, found: set[str]) -> None:
    told = expected(scene, prepared(scene, 1, DATA))
    name, one = list(told.extents.items())[-1]
    assert one.compression == "zlib"
    assert codes(told.check(name, body(DATA[one.offset : one.end]))) == found


def test_the_block_that_differs_is_named_though_the_md5_was_forged(scene: Scene) -> None:
    told = expected(scene, prepared(scene, 1, DATA))
    name, one = next(iter(told.extents.items()))
    wrong = bytearray(DATA[one.offset : one.end])
    wrong[40_000] ^= 1
    forged = replace(one, md5=hashlib.md5(wrong, usedforsecurity=False).hexdigest())
    faults = replace(told, extents={name: forged}).check(name, bytes(wrong))
    assert [(fault.code, fault.params) for fault in faults] == [
        ("block_differs", {"start": 32_768, "end": 65_536})
    ]


def test_compressions_are_read_by_their_word_and_unknown_ones_are_said(scene: Scene) -> None:
    told = expected(scene, prepared(scene, 1, DATA))
    name, one = next(iter(told.extents.items()))
    plain = DATA[one.offset : one.end]
    bodies = {
        "none": plain, "zlib": packed(plain), "bz2": bz2.compress(plain), "zstd": zstd.compress(plain),
    }  # fmt: skip
    for word, body in bodies.items():
        assert replace(told, extents={name: replace(one, compression=word)}).check(name, body) == []
    odd = replace(told, extents={name: replace(one, compression="lzfse")})
    assert codes(odd.check(name, plain)) == {"unknown_compression"}


def test_a_bomb_is_not_inflated_further_than_it_may_be() -> None:
    bombs = {"zlib": packed(bytes(50 << 20)), "bz2": bz2.compress(bytes(50 << 20))}
    bombs["zstd"] = zstd.compress(bytes(50 << 20))
    tracemalloc.start()
    try:
        assert [inflate(word, bomb, 1000) for word, bomb in bombs.items()] == [None] * 3
        assert tracemalloc.get_traced_memory()[1] < 5 << 20
    finally:
        tracemalloc.stop()
    assert inflate("bz2", b"no such thing", 1000) is None


@pytest.mark.parametrize(
    "url",
    [
        "not base64!",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"{}").decode(),
        record_url("b-1", "../../other", None, "c"),
        record_url("b-1", "/abs", None, "c"),
    ],
)
def test_a_record_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(NotProved) as caught:
        read_record(url)
    assert caught.value.faults


def test_a_record_for_another_site_says_the_new_bucket_and_can_be_deleted_there() -> None:
    record = read_record(record_url("b-2", "volume_v-1/x", "b-1", "volumebackups"))
    moved = read_record(encoded(record.moved_to("elsewhere")))
    assert (moved.container, moved.backup_id, moved.parent_id) == ("elsewhere", "b-2", "b-1")
    assert moved.content["num_dependent_backups"] == 0
    assert moved.content["display_name"] == record.content["display_name"]


def blocks(data: bytes, size: int = 1000) -> BlockList:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return BlockList(size, len(data), b"".join(hashlib.sha256(part).digest() for part in parts))


def test_a_restored_volume_is_compared_block_by_block() -> None:
    wanted = blocks(bytes(5000))
    assert differences(wanted, blocks(bytes(5000)), "root") == []
    assert differences(wanted, blocks(bytes(7000)), "root") == []  # a greater volume, zero beyond
    other = blocks(bytes(1000) + b"x" * 2000 + bytes(1000) + b"y" + bytes(999))
    assert [dict(fault.params) for fault in differences(wanted, other, "root")] == [
        {"start": 1000, "end": 3000},
        {"start": 4000, "end": 5000},
    ]
    assert codes(differences(wanted, blocks(bytes(5000) + b"z" * 1000), "root")) == {"differs"}
    assert codes(differences(wanted, blocks(bytes(4000)), "root")) == {"too_small"}
    assert codes(differences(wanted, blocks(bytes(5000), 500), "root")) == {"not_comparable"}


def test_roots_of_other_sizes_or_blocks_differ_even_for_the_same_hashes() -> None:
    one = blocks(bytes(4000))
    assert one.root_sha256 != replace(one, volume_bytes=3999).root_sha256
    assert one.root_sha256 != replace(one, block_bytes=999).root_sha256
