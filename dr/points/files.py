"""A folder of files as a part of a point: each whole, each once. A `PointFormat` without a description."""

from collections.abc import Mapping
from dataclasses import replace

from cloudctl.errors import Fault, NotProved
from cloudctl.ports.objects import ObjectStore
from dr.points.bucket import BucketExpectation
from dr.points.format import Prepared, Source
from dr.points.manifest import FILES, OBJECT, Part


class FilesFormat:
    """The files say nothing about their bytes beyond the hashes of the manifest."""

    name = FILES

    def prepare(self, part: Part, native: ObjectStore) -> Prepared:
        """All files. NotProved for a folder that has none: nothing is no copy."""
        sources = tuple(Source(OBJECT, one.key, one.size_bytes) for one in native.list())
        if not sources:
            fault = Fault(native.bucket, "missing", "there are no files")
            raise NotProved("the backup is not whole in its own bucket", faults=[fault])
        return Prepared(replace(part, size_bytes=sum(one.size_bytes for one in sources)), sources)

    def described(self, part: Part, descriptions: Mapping[str, bytes]) -> BucketExpectation:
        return BucketExpectation()
