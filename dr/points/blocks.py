"""The hashes of all blocks of a volume, in order: what two backups of the same bytes have in common."""

import hashlib
from dataclasses import dataclass, field

from cloudctl.errors import Fault

DIGEST_BYTES = 32
_ALL_ZERO: dict[int, bytes] = {}


@dataclass(frozen=True)
class BlockList:
    """SHA-256 of each block of a volume (the last may be shorter), 32 bytes each: 1/1024 of the volume."""

    block_bytes: int
    volume_bytes: int
    digests: bytes = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    @property
    def root_sha256(self) -> str:
        """One hash for all bytes of the volume: equal for equal bytes, equal size and equal blocks. Roots of
        different block sizes say nothing about each other; `differences` says so."""
        named = f"cloudctl blocks 1\n{self.block_bytes}\n{self.volume_bytes}\n".encode()
        return hashlib.sha256(named + self.digests).hexdigest()

    def of(self, number: int) -> bytes:
        """The hash of one block."""
        return self.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]


def differences(wanted: BlockList, found: BlockList, place: str, most: int = 20) -> list[Fault]:
    """Where `found` has other bytes than `wanted`: the restored volume, backed up again, against the point.

    A greater volume is fine when what is beyond is zero. Fault `not_comparable` for other block sizes, and
    `too_small`; else one `differs` for each stretch of bytes, `most` of them at most.
    """
    if wanted.block_bytes != found.block_bytes or wanted.volume_bytes % wanted.block_bytes:
        template = "blocks of {found} bytes cannot be compared with blocks of {wanted}"
        params = {"found": found.block_bytes, "wanted": wanted.block_bytes}
        return [Fault(place, "not_comparable", template, params)]
    if found.volume_bytes < wanted.volume_bytes:
        template = "the volume has {found} bytes, the point {wanted}"
        params = {"found": found.volume_bytes, "wanted": wanted.volume_bytes}
        return [Fault(place, "too_small", template, params)]
    zero = _zero_block(wanted.block_bytes)
    bad = [n for n in range(found.count) if found.of(n) != (wanted.of(n) if n < wanted.count else zero)]
    template = "the bytes from {start} to {end} are others than those of the point"
    return [
        Fault(place, "differs", template, {"start": a * wanted.block_bytes, "end": b * wanted.block_bytes})
        for a, b in _stretches(bad)[:most]
    ]


def _stretches(numbers: list[int]) -> list[tuple[int, int]]:
    """Runs of following numbers, as from and up to."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def _zero_block(size: int) -> bytes:
    if size not in _ALL_ZERO:
        _ALL_ZERO[size] = hashlib.sha256(bytes(size)).digest()
    return _ALL_ZERO[size]
