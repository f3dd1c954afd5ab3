"""The files of a copy, before they are sealed, as a bucket that can only be read."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from cloudctl.errors import ObjectMissing, Refused
from cloudctl.ports import LockMode, ObjectStore, StoredObject

NAME = "cloudctl"


class Folder(ObjectStore):
    """An ObjectStore over a directory without folders in it; nothing can be written."""

    def __init__(self, place: Path) -> None:
        self.bucket = NAME
        self._place = place

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        paths = sorted(self._place.iterdir()) if self._place.is_dir() else []
        for path in paths:
            if path.is_file() and path.name.startswith(prefix):
                yield self.head(path.name)

    def list_versions(self, prefix: str = "") -> Iterator[StoredObject]:
        return self.list(prefix)

    def head(self, key: str, version_id: str | None = None) -> StoredObject:
        return StoredObject(key, self._path(key).stat().st_size, "")

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return self._path(key).read_bytes()

    def stream(self, key: str, version_id: str | None = None, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            while chunk := file.read(chunk_bytes):
                yield chunk

    def put(
        self,
        key: str,
        body: bytes,
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        raise _read_only()

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        raise _read_only()

    def delete(self, key: str, version_id: str | None = None) -> None:
        raise _read_only()

    def lock_mode(self) -> LockMode:
        return LockMode.NONE

    def keeps_versions(self) -> bool:
        return False

    def _path(self, key: str) -> Path:
        path = self._place / Path(key).name
        if not path.is_file():
            raise ObjectMissing("the bucket has no object '{key}'", key=key)
        return path


def _read_only() -> Refused:
    return Refused("the files of a copy are only read")
