"""Envelopes: bytes sealed with AES-256-GCM in frames, so that no size is too big and no change goes unseen.

    header      8 bytes of format and size of a frame, 24 bytes of salt
    frame ...   up to 1 MiB of plain bytes, encrypted, and 16 bytes of tag; the last one is marked as such

The frames are those of age (the STREAM construction): a nonce is the number of the frame and whether it is
the last, so frames cannot be left out, cut off, repeated or put in another order. Each object is sealed with
a key of its own, derived (HKDF-SHA256) from the point's data key, the salt and the object's context, which
says the installation, the point and the number of the object: no object opens in the place of another.

The salt is derived from the plain bytes (HMAC-SHA256 under the data key). So the same bytes of one object
seal to the same sealed bytes, always: a copy that was cut off, another vault and a piece put back again
can be compared without opening them. And no nonce is ever used for two plain texts, however often a run
is repeated, which a random salt kept somewhere could not promise.
"""

import hashlib
import hmac
import secrets as _random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cloudctl.errors import SealBroken

FRAME_BYTES = 1 << 20
TAG_BYTES = 16
_FORMAT = b"CCSEAL1\x14"  # 2^0x14 bytes a frame
_SALT_BYTES = 24
HEADER_BYTES = len(_FORMAT) + _SALT_BYTES
_SEALED_FRAME = FRAME_BYTES + TAG_BYTES


class DataKey:
    """The key of one point (256 bits); its repr does not show it."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise SealBroken("a data key has 32 bytes, not {found}", found=len(raw))
        self.raw = raw

    @staticmethod
    def new() -> "DataKey":
        """A random one."""
        return DataKey(_random.token_bytes(32))

    def __repr__(self) -> str:
        return "DataKey(***)"


@dataclass(frozen=True)
class Digest:
    """How many bytes, and their SHA-256 in hex."""

    size_bytes: int
    sha256: str

    @staticmethod
    def of(body: bytes | memoryview) -> "Digest":
        return Digest(len(body), hashlib.sha256(body).hexdigest())


class Hashing:
    """Chunks passed through unchanged; `digest` is of all of them once they have been read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self._size += len(chunk)
            yield chunk

    def drain(self) -> Digest:
        """Read to the end and keep nothing."""
        for _ in self:
            pass
        return self.digest

    @property
    def digest(self) -> Digest:
        return Digest(self._size, self._hash.hexdigest())


@dataclass(frozen=True)
class Sealed:
    """Sealed bytes, with the digests of what went in and of what came out."""

    body: bytes
    plain: Digest
    sealed: Digest


def sealed_size(plain_bytes: int) -> int:
    """How many bytes that many plain ones are when sealed."""
    frames = max(1, -(-plain_bytes // FRAME_BYTES))
    return HEADER_BYTES + plain_bytes + frames * TAG_BYTES


def seal(key: DataKey, context: str, plain: bytes) -> Sealed:
    """Seal what fits into memory; takes as much again."""
    digest = Digest.of(plain)
    body = b"".join(_sealed_frames(key, context, digest, [plain]))
    return Sealed(body, digest, Digest.of(body))


def seal_stream(key: DataKey, context: str, plain: Digest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Seal chunks of any size, whose digest a first reading has told; holds two frames.

    SealBroken, before the last frame, when what is read now is not what was read then: the caller drops the
    upload. A source that may change is read by version.
    """
    return _sealed_frames(key, context, plain, Hashing(chunks))


def open_sealed(key: DataKey, context: str, body: bytes) -> bytes:
    """The plain bytes. SealBroken for a wrong key, another place, or any change whatsoever."""
    return b"".join(_opened_frames(key, context, [body]))


def open_stream(key: DataKey, context: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plain bytes frame by frame. SealBroken as `open_sealed`; a cut end shows at the end only, so what
    was yielded counts once the iterator has ended."""
    return _opened_frames(key, context, chunks)


def _sealed_frames(key: DataKey, context: str, plain: Digest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    salt = _salt(key, context, plain)
    cipher = _cipher(key, context, salt)
    yield _FORMAT + salt
    for counter, (frame, is_last) in enumerate(_frames(chunks, FRAME_BYTES)):
        if is_last and isinstance(chunks, Hashing) and chunks.digest != plain:
            raise SealBroken("the source changed while it was read")
        yield cipher.encrypt(_nonce(counter, is_last), frame, None)


def _opened_frames(key: DataKey, context: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    header, rest = _header(chunks)
    if header[: len(_FORMAT)] != _FORMAT or len(header) != HEADER_BYTES:
        raise SealBroken("this is nothing that was sealed in a known format")
    cipher = _cipher(key, context, header[len(_FORMAT) :])
    for counter, (frame, is_last) in enumerate(_frames(rest, _SEALED_FRAME)):
        if is_last and counter and len(frame) <= TAG_BYTES:
            raise SealBroken("the sealed bytes have been cut off")
        try:
            yield cipher.decrypt(_nonce(counter, is_last), frame, None)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                "frame {frame} does not open: another key, or bytes that are not those that were sealed",
                frame=counter,
            ) from error


def _header(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes | memoryview]]:
    """The first bytes, and all others."""
    source = iter(chunks)
    begun = bytearray()
    for chunk in source:
        if len(begun) + len(chunk) >= HEADER_BYTES:
            missing = HEADER_BYTES - len(begun)
            return bytes(begun) + chunk[:missing], _put_before(memoryview(chunk)[missing:], source)
        begun += chunk
    return bytes(begun), iter(())


def _put_before(first: memoryview, others: Iterator[bytes]) -> Iterator[bytes | memoryview]:
    yield first
    yield from others


def _frames(
    chunks: Iterable[bytes | memoryview], size: int
) -> Iterator[tuple[bytes | memoryview | bytearray, bool]]:
    """Frames of `size` bytes, the last one shorter or just as long; there is always one."""
    kept = bytearray()
    for chunk in chunks:
        view, start = memoryview(chunk), 0
        if kept:
            start = min(size - len(kept), len(view))
            kept += view[:start]
            if start == len(view):
                continue  # whether a full frame is the last one shows when more comes
            yield kept, False
            kept = bytearray()
        while len(view) - start > size:
            yield view[start : start + size], False
            start += size
        kept += view[start:]
    yield kept, True


def _nonce(counter: int, is_last: bool) -> bytes:
    return counter.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _salt(key: DataKey, context: str, plain: Digest) -> bytes:
    secret = _derived(key.raw, b"", b"cloudctl salt 1")
    message = f"{context}\n{plain.size_bytes}\n{plain.sha256}".encode()
    return hmac.digest(secret, message, "sha256")[:_SALT_BYTES]


def _cipher(key: DataKey, context: str, salt: bytes) -> AESGCM:
    return AESGCM(_derived(key.raw, salt, b"cloudctl seal 1\n" + context.encode()))


def _derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt or None, info=info).derive(secret)
