"""What pages say of figures that were measured: lengths of time, with their decimals where they are short."""

from dr.reports.page import Wording
from web.visitor import language


def length_of_time(seconds: float | None) -> str:
    """As the report itself says it: 52.8 秒, 1 分钟 25 秒."""
    return Wording(language()).span(seconds)


def why(text: str) -> str:
    """Why a drill or a move ended as it did, as far as the words are known."""
    return Wording(language()).why(text)
