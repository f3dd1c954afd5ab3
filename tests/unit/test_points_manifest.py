"""Heads and manifests as bytes: read back as they were, and refused with everything that is wrong."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.envelopes import Digest, sealed_size
from cloudctl.errors import NotProved
from cloudctl.secrets import Signer
from dr.points.bucket import as_of
from dr.points.fields import canonical
from dr.points.head import Head, Previous, head_key, parse_head
from dr.points.manifest import BUCKET, CINDER, Manifest, Part, Piece, Removal, parse_manifest
from tests.point_scenes import codes

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)
SHA = "ab" * 32
HEAD = Head(
    "gx", "m-1", 3, "p-3", "incremental", "p-2", "register", "province", "quiesced", AT,
    AT + timedelta(days=30), Previous(2, SHA), Digest(999, SHA), 7, 5000, 1 << 30, {"0011": "ff00"},
    signer=SHA, signature="ab" * 64,
)  # fmt: skip


def piece(number: int, name: str, **more: Any) -> Piece:
    size = 100 + number
    return Piece(number, 0, "data", name, Digest(size, SHA), Digest(sealed_size(size), SHA), **more)


MANIFEST = Manifest(
    "gx", "p-3", AT,
    (Part(0, CINDER, "根卷", "volumebackups", 1 << 30, "v-1", "rbd", url="e30=", root_sha256=SHA),),
    (piece(1, "volume_v-1/a-00001"), piece(2, "volume_v-1/a_metadata")),
    {"flavor": {"vcpus": 2}},
)  # fmt: skip


def head_with(**changes: object) -> bytes:
    return canonical({**json.loads(HEAD.body()), **changes})


def refused(body: bytes, key: str = head_key(HEAD)) -> list[tuple[str, str]]:
    with pytest.raises(NotProved) as caught:
        parse_head(body, key)
    return [(fault.place.removeprefix(key).strip("."), fault.code) for fault in caught.value.faults]


def test_a_head_reads_back_as_it_was() -> None:
    found = parse_head(HEAD.body(), head_key(HEAD))
    assert found == HEAD
    assert found.body() == HEAD.body()
    assert found.sha256 == HEAD.sha256
    first = replace(HEAD, previous=None, parent=None, kind="full", locked_until=None)
    assert parse_head(first.body(), head_key(first)) == first


def test_a_signature_covers_every_field(tmp_path: Path) -> None:
    Signer.make_key(tmp_path / "k")
    signer = Signer(tmp_path / "k")
    signed = HEAD.signed(signer)
    assert signed.is_signed_by((signer.public,))
    assert not signed.is_signed_by(())
    others = [
        {"installation": "x"}, {"member": "x"}, {"sequence": 4}, {"point": "x"}, {"parent": "x"},
        {"system": "x"}, {"site": "x"}, {"consistency": "x"}, {"taken_at": AT + timedelta(seconds=1)},
        {"locked_until": None}, {"previous": None}, {"manifest": Digest(1, SHA)}, {"objects": 8},
        {"plain_bytes": 1}, {"volume_bytes": 1}, {"keys": {}}, {"kind": "full"}, {"signer": "cd" * 32},
    ]  # fmt: skip
    for change in others:
        assert not replace(signed, **change).is_signed_by((signer.public,)), change  # type: ignore[arg-type]


def test_a_head_names_no_host_address_or_person() -> None:
    assert set(HEAD.content()) == {
        "format", "installation", "member", "sequence", "point", "kind", "parent", "system", "site",
        "consistency", "taken_at", "locked_until", "previous", "manifest", "objects", "plain_bytes",
        "volume_bytes", "wrapping", "keys", "signer",
    }  # fmt: skip


def test_all_faults_of_a_head_come_at_once() -> None:
    body = head_with(
        point="../../p",
        sequence=-1,
        kind="half",
        taken_at="today",
        signature="zz",
        objects=True,
        site="\x1b[2J",
    )
    assert refused(body) == [
        ("sequence", "bad_number"),
        ("point", "bad_id"),
        ("kind", "unknown"),
        ("site", "bad_text"),
        ("taken_at", "bad_moment"),
        ("objects", "bad_number"),
        ("signature", "bad_text"),
        ("parent", "bad_parent"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_json"),
        (b"[" * 60_000, "no_json"),
        (b"[]", "no_object"),
        (head_with(format="cloudctl-point-head-2"), "unknown"),
        (head_with(wrapping="rot13"), "unknown"),
        (head_with(volume_bytes=1 << 60), "bad_number"),
        (head_with(sequence=3.0), "bad_number"),
        (head_with(kind="full"), "bad_parent"),
        (head_with(system="x" * 100_000), "too_big"),
    ],
)
def test_what_is_no_head_is_refused(body: bytes, code: str) -> None:
    assert code in {found for _, found in refused(body)}


def test_a_head_under_the_key_of_another_is_a_replay() -> None:
    assert refused(HEAD.body(), "heads/gx/m-1/4-p-4.json") == [("", "replayed")]


@given(st.binary(max_size=300) | st.builds(lambda x: json.dumps(x).encode(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)))  # fmt: skip
def test_no_bytes_whatever_break_the_readers(body: bytes) -> None:
    for parse in (parse_head, parse_manifest):
        with pytest.raises(NotProved):
            parse(body, "place")


@given(
    st.dictionaries(
        st.sampled_from(sorted(json.loads(HEAD.body()))),
        st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.floats(allow_nan=False),
        min_size=1,
    )
)
def test_a_head_with_any_field_changed_is_refused_or_another(changes: dict[str, object]) -> None:
    body = head_with(**changes)
    try:
        found = parse_head(body, head_key(HEAD))
    except NotProved as error:
        assert error.faults
    else:
        assert found.body() == canonical({**json.loads(found.body())})


def test_a_manifest_reads_back_as_it_was() -> None:
    found = parse_manifest(MANIFEST.body(), "m")
    assert found == MANIFEST
    assert found.body() == MANIFEST.body()
    part = Part(0, BUCKET, "files", "files", removals=(Removal("a", "v2", AT),))
    bucket = Manifest("gx", "p", AT, (part,), (piece(1, "a", version="v1", stored_at=AT),))
    assert parse_manifest(bucket.body(), "m") == bucket


def wrong(manifest: Manifest) -> set[str]:
    with pytest.raises(NotProved) as caught:
        parse_manifest(manifest.body(), "m")
    return codes(caught.value.faults)


def test_pieces_told_twice_left_out_or_of_no_part_are_refused() -> None:
    one, two = MANIFEST.pieces
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, number=1)))) == {"piece_twice"}
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, name=one.name)))) == {"name_twice"}
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, number=3)))) == {"piece_gap"}
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, part=1)))) == {"no_part"}
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, sealed=Digest(5, SHA))))) == {"bad_size"}
    assert wrong(replace(MANIFEST, parts=MANIFEST.parts * 2)) == {"part_twice"}


@pytest.mark.parametrize("name", ["../x", "a/../b", "/etc/passwd", "a/./b", "a\x00b", "a\u202eb", "x" * 1025])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    one, two = MANIFEST.pieces
    assert wrong(replace(MANIFEST, pieces=(one, replace(two, name=name)))) & {"bad_name", "bad_text"}


def test_names_of_offices_are_fine() -> None:
    one, two = MANIFEST.pieces
    for name in ("报表/2026 年\u3000终.pdf", "a..b", "...", "~x/y z"):
        changed = replace(MANIFEST, pieces=(one, replace(two, name=name)))
        assert parse_manifest(changed.body(), "m") == changed


def test_a_bucket_as_of_a_moment() -> None:
    def at(hours: int) -> datetime:
        return AT + timedelta(hours=hours)

    part = Part(0, BUCKET, "files", "files", removals=(Removal("a", "m", at(3)),))
    pieces = (
        piece(1, "a", version="a3", stored_at=at(5)),
        piece(2, "a", version="a2", stored_at=at(2)),
        piece(3, "a", version="a1", stored_at=at(0)),
        piece(4, "b", version="b1", stored_at=at(1)),
    )
    manifest = Manifest("gx", "p", AT, (part,), pieces)

    def seen(hours: int) -> list[str | None]:
        return [one.piece.version for one in as_of([(manifest, part)], at(hours))]

    assert seen(0) == ["a1"]
    assert seen(2) == ["a2", "b1"]
    assert seen(4) == ["b1"]
    assert seen(5) == ["a3", "b1"]
