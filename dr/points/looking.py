"""Looking at single objects of a copy: which versions there are, which is the right one, what is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cloudctl.envelopes import DataKey, Digest, Hashing, open_sealed, open_stream
from cloudctl.errors import Fault, ObjectMissing, SealBroken
from cloudctl.ports.objects import ObjectStore, StoredObject
from dr.points.format import Expectation
from dr.points.head import Head
from dr.points.judging import Seen, Tried
from dr.points.manifest import OBJECT, Piece, piece_context, piece_key
from dr.points.parallel import HELD, STREAM_ABOVE_BYTES, Budget
from dr.points.picking import with_bytes

MOST_TRIES = 50  # versions of one key


class Look:
    """The objects of one point in one vault; used by many threads."""

    def __init__(
        self,
        vault: ObjectStore,
        head: Head,
        versions: Mapping[str, Sequence[StoredObject]],
        promised: datetime | None,
    ) -> None:
        self._vault = vault
        self._head = head
        self._versions = versions
        self._promised = promised
        self._budget = Budget()

    def from_afar(self, key: str, wanted: Digest) -> Seen:
        """What the store tells, without reading."""
        versions = tuple(self._versions.get(key, ()))
        fitting = [one for one in with_bytes(versions) if one.size_bytes == wanted.size_bytes]
        return Seen(key, wanted, versions, self.best_locked(fitting))

    def at(
        self, key: str, wanted: Digest, number_and_key: tuple[int, DataKey] | None
    ) -> tuple[Seen, bytes | None]:
        """Read the object whole; its sealed bytes where a version has them."""
        versions = tuple(self._versions.get(key, ()))
        tried: list[Tried] = []
        right: list[StoredObject] = []
        body: bytes | None = None
        for one in _worth_trying(versions, wanted):
            try:
                read = self._vault.read(key, one.version_id)
            except ObjectMissing:
                continue  # gone since it was listed
            digest = Digest.of(read)
            if digest == wanted:
                body = read
                right.append(self._with_lock(one))
                if self._is_long_enough(right[-1]):
                    break
                continue  # the same bytes may lie there again, with the right lock
            is_opening = number_and_key is not None and self._opens(read, *number_and_key)
            tried.append(Tried(one, digest.sha256, is_opening))
        return Seen(key, wanted, versions, _longest(right), True, tuple(tried)), body

    def best_locked(self, same: Sequence[StoredObject]) -> StoredObject | None:
        """Of versions with the same bytes the first whose lock is long enough, or the one locked longest."""
        found: list[StoredObject] = []
        for one in same:
            found.append(self._with_lock(one))
            if self._is_long_enough(found[-1]):
                break
        return _longest(found)

    def plain(self, piece: Piece, key: DataKey) -> tuple[Seen, bytes | None]:
        """The piece, and its plain bytes where they are right."""
        seen, body = self.at(self._key_of(piece), piece.sealed, (piece.number, key))
        if body is None:
            return seen, None
        try:
            plain = open_sealed(key, self._context(piece.number), body)
        except SealBroken as error:
            return replace(seen, content=(Fault(seen.key, error.code, error.template, error.params),)), None
        if Digest.of(plain) != piece.plain:
            return replace(seen, content=(_other_plain(seen.key),)), None
        return seen, plain

    def content(self, piece: Piece, key: DataKey, expected: Expectation | None) -> tuple[Seen, int]:
        """Everything of one piece: bytes, seal, plain bytes, and what its format says. And the bytes read."""
        if piece.role == OBJECT and piece.sealed.size_bytes > STREAM_ABOVE_BYTES:
            return self._streamed(piece, key), piece.sealed.size_bytes
        opened = expected.opened_bytes(piece.name) if expected else 0
        with self._budget.hold(HELD * piece.sealed.size_bytes + opened):
            seen, plain = self.plain(piece, key)
            if plain is None or expected is None:
                return seen, seen.wanted.size_bytes
            faults = tuple(
                Fault(seen.key, one.code, one.template, one.params)
                for one in expected.check(piece.name, plain)
            )
            return replace(seen, content=faults), seen.wanted.size_bytes

    def _streamed(self, piece: Piece, key: DataKey) -> Seen:
        place = self._key_of(piece)
        versions = tuple(self._versions.get(place, ()))
        tried: list[Tried] = []
        for one in _worth_trying(versions, piece.sealed):
            sealed = Hashing(self._vault.stream(place, one.version_id))
            opened = Hashing(open_stream(key, self._context(piece.number), sealed))
            try:
                plain = opened.drain()
            except SealBroken:
                sealed.drain()  # to the end, for its hash
                tried.append(Tried(one, sealed.digest.sha256, False))
                continue
            if sealed.digest == piece.sealed:
                content = () if plain == piece.plain else (_other_plain(place),)
                return Seen(place, piece.sealed, versions, self._with_lock(one), True, tuple(tried), content)
            tried.append(Tried(one, sealed.digest.sha256, True))
        return Seen(place, piece.sealed, versions, None, True, tuple(tried))

    def _with_lock(self, one: StoredObject) -> StoredObject:
        if self._promised is None:
            return one
        return replace(one, retain_until=self._vault.head(one.key, one.version_id).retain_until)

    def _is_long_enough(self, one: StoredObject) -> bool:
        until = one.retain_until
        return self._promised is None or (until is not None and until >= self._promised)

    def _opens(self, body: bytes, number: int, key: DataKey) -> bool:
        try:
            open_sealed(key, self._context(number), body)
        except SealBroken:
            return False
        return True

    def _key_of(self, piece: Piece) -> str:
        return piece_key(self._head.installation, self._head.point, piece.number)

    def _context(self, number: int) -> str:
        return piece_context(self._head.installation, self._head.point, number)


def _longest(found: Sequence[StoredObject]) -> StoredObject | None:
    if not found:
        return None
    return max(found, key=lambda one: one.retain_until or datetime.min.replace(tzinfo=UTC))


def _other_plain(key: str) -> Fault:
    return Fault(key, "other_plain", "it opens, yet to other bytes than the manifest names")


def _worth_trying(versions: Sequence[StoredObject], wanted: Digest) -> list[StoredObject]:
    """Those of the right size; if there are none, the newest that is not absurdly big, to tell what it is."""
    there = with_bytes(versions)
    fitting = [one for one in there if one.size_bytes == wanted.size_bytes]
    others = [one for one in there[:1] if one.size_bytes <= max(STREAM_ABOVE_BYTES, 2 * wanted.size_bytes)]
    return fitting[:MOST_TRIES] or others
