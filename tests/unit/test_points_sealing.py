"""Sealed bytes: any size, any cut into chunks, and no change that goes unseen."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudctl.envelopes import (
    FRAME_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    DataKey,
    Digest,
    Hashing,
    open_sealed,
    open_stream,
    seal,
    seal_stream,
    sealed_size,
)
from cloudctl.errors import SealBroken

KEY = DataKey(bytes(range(32)))
SIZES = (0, 1, 1000, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES, 2 * FRAME_BYTES + 77)
FRAME = FRAME_BYTES + TAG_BYTES


def drawn(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def cut(body: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(one, len(body)) for one in at), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


def frames(body: bytes) -> tuple[bytes, list[bytes]]:
    rest = body[HEADER_BYTES:]
    return body[:HEADER_BYTES], [rest[at : at + FRAME] for at in range(0, len(rest), FRAME)]


def opens(body: bytes, key: DataKey = KEY, context: str = "gx/p/1") -> bool:
    try:
        open_sealed(key, context, body)
    except SealBroken:
        return False
    return True


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_again_and_has_the_size_that_was_told(size: int) -> None:
    plain = drawn(size)
    sealed = seal(KEY, "gx/p/1", plain)
    assert len(sealed.body) == sealed_size(size) == sealed.sealed.size_bytes
    assert open_sealed(KEY, "gx/p/1", sealed.body) == plain
    assert sealed.plain == Digest.of(plain)
    assert sealed.sealed == Digest.of(sealed.body)


@given(st.sampled_from(SIZES), st.lists(st.integers(0, max(SIZES)), max_size=6), st.data())
@settings(max_examples=40)
def test_any_cut_into_chunks_seals_to_the_same_bytes_and_opens_again(
    size: int, at: list[int], data: st.DataObject
) -> None:
    plain = drawn(size)
    whole = seal(KEY, "gx/p/1", plain)
    assert b"".join(seal_stream(KEY, "gx/p/1", whole.plain, cut(plain, at))) == whole.body
    elsewhere = data.draw(st.lists(st.integers(0, len(whole.body)), max_size=6))
    assert b"".join(open_stream(KEY, "gx/p/1", cut(whole.body, elsewhere))) == plain


@given(st.sampled_from(SIZES[1:]), st.data())
@settings(max_examples=60)
def test_a_flipped_bit_anywhere_is_noticed(size: int, data: st.DataObject) -> None:
    body = bytearray(seal(KEY, "gx/p/1", drawn(size)).body)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    assert not opens(bytes(body))


@given(st.sampled_from(SIZES), st.data())
@settings(max_examples=60)
def test_bytes_cut_off_or_added_anywhere_are_noticed(size: int, data: st.DataObject) -> None:
    body = seal(KEY, "gx/p/1", drawn(size)).body
    assert not opens(body[: data.draw(st.integers(0, len(body) - 1))])
    assert not opens(body + data.draw(st.binary(min_size=1, max_size=40)))


@pytest.mark.parametrize("size", SIZES)
def test_an_end_cut_off_between_two_frames_is_noticed(size: int) -> None:
    header, all_ = frames(seal(KEY, "gx/p/1", drawn(size)).body)
    for count in range(len(all_)):
        assert not opens(header + b"".join(all_[:count]))


@given(st.permutations(range(3)))
def test_frames_in_another_order_are_noticed(order: list[int]) -> None:
    header, all_ = frames(seal(KEY, "gx/p/1", drawn(2 * FRAME_BYTES + FRAME_BYTES)).body)
    assert opens(header + b"".join(all_[n] for n in order)) == (order == [0, 1, 2])


def test_a_frame_twice_or_left_out_is_noticed() -> None:
    header, (first, second, last) = frames(seal(KEY, "gx/p/1", drawn(2 * FRAME_BYTES + 77)).body)
    assert not opens(header + first + first + second + last)
    assert not opens(header + first + last)


def test_nothing_opens_with_another_key_or_in_another_place() -> None:
    body = seal(KEY, "gx/p/1", b"payroll").body
    assert opens(body)
    assert not opens(body, key=DataKey.new())
    assert not opens(body, context="gx/p/2")
    assert not opens(body, context="gx/q/1")


def test_the_same_bytes_seal_the_same_and_others_share_nothing() -> None:
    one, same = seal(KEY, "gx/p/1", b"a" * 5000), seal(KEY, "gx/p/1", b"a" * 5000)
    other = seal(KEY, "gx/p/1", b"a" * 4999 + b"b")
    assert one.body == same.body
    assert one.body[8:HEADER_BYTES] != other.body[8:HEADER_BYTES]
    assert one.body[HEADER_BYTES : HEADER_BYTES + 1000] != other.body[HEADER_BYTES : HEADER_BYTES + 1000]


def test_a_source_that_changed_between_two_readings_never_gets_its_last_frame() -> None:
    told, changed = Digest.of(drawn(FRAME_BYTES + 5)), drawn(FRAME_BYTES + 6)[: FRAME_BYTES + 5]
    written = bytearray()
    with pytest.raises(SealBroken, match="changed"):
        for chunk in seal_stream(KEY, "gx/p/1", told, [changed]):
            written += chunk
    assert len(written) < sealed_size(FRAME_BYTES + 5)
    assert not opens(bytes(written))


def test_a_stream_yields_nothing_that_was_not_authenticated() -> None:
    body = bytearray(seal(KEY, "gx/p/1", drawn(2 * FRAME_BYTES + 77)).body)
    body[HEADER_BYTES + FRAME + 5] ^= 1
    given_out = bytearray()
    with pytest.raises(SealBroken, match="frame 1"):
        for chunk in open_stream(KEY, "gx/p/1", [bytes(body)]):
            given_out += chunk
    assert given_out == drawn(2 * FRAME_BYTES + 77)[:FRAME_BYTES]


def test_hashing_passes_chunks_on_and_tells_their_digest() -> None:
    chunks = Hashing([b"ab", b"", b"c"])
    assert b"".join(chunks) == b"abc"
    assert chunks.digest == Digest.of(b"abc")


def test_a_key_does_not_show_itself() -> None:
    assert repr(DataKey(b"k" * 32)) == "DataKey(***)"
    with pytest.raises(SealBroken):
        DataKey(b"short")
