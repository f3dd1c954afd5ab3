"""What a chain of points says a bucket had at a moment. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloudctl.envelopes import Digest, sealed_size
from cloudctl.errors import NotProved
from cloudctl.ports import StoredObject
from dr.points.bucket import Chain, as_of, contradictions, must_add_up
from dr.points.listing import (
    Entry,
    Mark,
    entries_of,
    gone_of,
    held,
    pack,
    removals_of,
    root_of,
    unpack,
)
from dr.points.manifest import BUCKET, OBJECT, Manifest, Part, Piece, parse_manifest

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


def at(hours: float) -> datetime:
    return AT + timedelta(hours=hours)


def version(name: str, number: int, hours: float) -> StoredObject:
    return StoredObject(name, number, f"e{number}", f"{name}{number}", at(hours))


def marker(name: str, number: int, hours: float) -> StoredObject:
    return StoredObject(name, 0, "", f"{name}-m{number}", at(hours), is_delete_marker=True)


def link(
    point: str, taken: float, listed: list[StoredObject], before: list[Entry] | None
) -> tuple[Manifest, Part, list[Entry]]:
    """A point of the bucket as its listing makes it."""
    entries = list(entries_of(listed, at(taken), None if before is None else held(before)))
    sizes = {one.identity: one.size_bytes for one in entries if one.is_held}
    new = [one for one in entries if one.mark is Mark.NEW]
    part = Part(
        0, BUCKET, "files", "files", sum(sizes.values()), is_incremental=before is not None, backup_id=point,
        removals=removals_of(entries), gone=gone_of(entries), root_sha256=root_of(sizes),
    )  # fmt: skip
    pieces = tuple(
        Piece(
            number, 0, OBJECT, one.name, Digest(one.size_bytes, "0" * 64),
            Digest(sealed_size(one.size_bytes), "0" * 64), one.version, one.stored_at,
        )
        for number, one in enumerate(new, 1)
    )  # fmt: skip
    return Manifest("gx", point, at(taken), (part,), pieces), part, entries


def seen(chain: Chain, hours: float | None = None) -> list[str | None]:
    return [one.piece.version for one in as_of(chain, None if hours is None else at(hours))]


def a_chain() -> Chain:
    first = [version("a", 2, 2), version("a", 1, 0), version("b", 1, 1)]
    full, full_part, entries = link("p1", 3, first, None)
    second = [
        marker("a", 1, 5), version("a", 3, 4), version("a", 2, 2),  # the first of them was purged
        marker("b", 1, 6), version("b", 1, 1),
        version("c", 1, 7),
    ]  # fmt: skip
    child, child_part, _ = link("p2", 8, second, entries)
    return [(full, full_part), (child, child_part)]


def test_a_chain_tells_every_moment() -> None:
    chain = a_chain()
    assert [piece.version for piece in chain[1][0].pieces] == ["a3", "c1"]
    assert [one.version for one in chain[1][1].gone] == ["a1"]
    assert [seen(chain, hours) for hours in (0, 1, 2, 4, 5, 6, 7)] == [
        ["a1"], ["a1", "b1"], ["a2", "b1"], ["a3", "b1"], ["b1"], [], ["c1"],
    ]  # fmt: skip
    assert seen(chain) == ["c1"]
    must_add_up(chain)


def test_the_manifest_of_an_increment_reads_back(tmp_path: object) -> None:
    for manifest, _ in a_chain():
        assert parse_manifest(manifest.body(), "m") == manifest


def test_a_marker_of_the_same_second_hides_only_what_lies_beneath_it() -> None:
    listed = [version("a", 2, 1), marker("a", 1, 1), version("a", 1, 1)]
    manifest, part, _ = link("p", 2, listed, None)
    assert seen([(manifest, part)]) == ["a2"]
    manifest, part, _ = link("p", 2, [marker("a", 2, 1), *listed], None)
    assert seen([(manifest, part)]) == []


def test_a_chain_that_lacks_a_point_or_an_object_is_refused() -> None:
    chain = a_chain()
    with pytest.raises(NotProved):
        must_add_up(chain[1:])
    manifest, part = chain[0]
    lacking = replace(manifest, pieces=manifest.pieces[1:])
    assert [one.code for one in contradictions(lacking, part, "m")] == ["root_differs"]
    assert contradictions(manifest, part, "m") == []


def test_what_came_after_the_moment_belongs_to_the_next_point() -> None:
    entries = list(entries_of([version("a", 2, 3), version("a", 1, 1), marker("b", 1, 3)], at(2), None))
    assert [one.version for one in entries] == ["a1"]


def test_a_listing_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.points.listing.MOST_A_BODY", 2)
    listed = [marker("报表/一月", 1, 2), version("报表/一月", 1, 1), version("b\nc", 1, 1)]
    entries = list(entries_of(listed, at(3), frozenset({("gone", "v")})))
    bodies = list(pack(entries))
    assert len(bodies) == 2
    assert list(unpack(bodies)) == entries
    assert entries[-1] == Entry(Mark.GONE, "gone", "v")


def test_a_version_from_before_the_bucket_kept_any_has_a_name() -> None:
    old = StoredObject("a", 1, "e", None, at(0))
    [entry] = entries_of([old], at(1), None)
    assert entry.version == "null"
