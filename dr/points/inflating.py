"""What Cinder compressed, inflated again, and never to more than it may be."""

import bz2
import zlib
from collections.abc import Callable
from typing import Protocol

from backports import zstd

_NONE = frozenset({"none", "off", "no"})


def _zlib(body: bytes, most_bytes: int) -> bytes:
    stream = zlib.decompressobj()
    return _ended(stream.decompress(body, most_bytes + 1), stream)


def _bz2(body: bytes, most_bytes: int) -> bytes:
    stream = bz2.BZ2Decompressor()
    return _ended(stream.decompress(body, most_bytes + 1), stream)


def _zstd(body: bytes, most_bytes: int) -> bytes:
    stream = zstd.ZstdDecompressor()
    return _ended(stream.decompress(body, most_bytes + 1), stream)


class _Inflating(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def _ended(content: bytes, stream: _Inflating) -> bytes:
    if not stream.eof or stream.unused_data:
        raise ValueError("cut off, too much, or something follows")
    return content


_KNOWN: dict[str, Callable[[bytes, int], bytes]] = {
    "zlib": _zlib,
    "gzip": _zlib,
    "bz2": _bz2,
    "bzip2": _bz2,
    "zstd": _zstd,
}


def is_known(word: str) -> bool:
    """Whether `inflate` can read what Cinder calls so."""
    return word in _NONE or word in _KNOWN


def inflate(word: str, body: bytes, most_bytes: int) -> bytes | None:
    """The bytes again; None when they do not inflate, or to more than `most_bytes`."""
    if word in _NONE:
        return body
    try:
        return _KNOWN[word](body, most_bytes)
    except (zlib.error, zstd.ZstdError, OSError, ValueError, EOFError):
        return None
