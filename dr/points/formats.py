"""The formats of points that are known here."""

from cloudctl.errors import Fault, NotProved
from dr.points.bucket import BucketFormat
from dr.points.cinder_chunked import CinderChunked
from dr.points.files import FilesFormat
from dr.points.format import PointFormat

_KNOWN: dict[str, PointFormat] = {one.name: one for one in (CinderChunked(), BucketFormat(), FilesFormat())}


def format_of(name: str) -> PointFormat:
    """The format of that name. NotProved when it is not known."""
    if name not in _KNOWN:
        fault = Fault("format", "unknown", "'{text}' is not known here", {"text": name[:80]})
        raise NotProved("what was read is not what cloudctl writes", faults=[fault])
    return _KNOWN[name]
