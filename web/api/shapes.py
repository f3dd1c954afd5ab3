"""The shapes of input and output that all nouns share, and the cutting of lists into pages."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_PAGE = 500
MOST_NUMBER = 2**53  # what JSON can carry exactly; and no database is asked for more than its integers hold
Number = Annotated[int, Field(ge=0, le=MOST_NUMBER)]


class Body(BaseModel):
    """A JSON body: exact types, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Query(BaseModel):
    """A query string: everything in it is text, so types are read from text; no unknown keys."""

    model_config = ConfigDict(strict=False, extra="forbid")


class Paged(Query):
    """The part of a query string that every list knows."""

    limit: int = Field(100, ge=1, le=MAX_PAGE)


class PagedByNumber(Paged):
    marker: Number | None = None


class PagedByName(Paged):
    marker: str | None = Field(None, max_length=200)


class Row(BaseModel):
    """One thing. Every row has these keys; each noun has more, named in docs/api.md."""

    model_config = ConfigDict(extra="allow")

    id: int | str | None
    name: str | None
    state: str | None


class Listing(BaseModel):
    """One page of a list; `next` is the marker of the page after it."""

    items: list[Row]
    next: int | str | None = None


class Answer(BaseModel):
    """An answer whose keys depend on the call, named in docs/api.md."""

    model_config = ConfigDict(extra="allow")


class Done(BaseModel):
    """The call changed what it was asked to."""

    id: int | str | None = None
    state: str | None = None


def listing(rows: Sequence[dict[str, Any]], limit: int | None = None) -> dict[str, Any]:
    """The rows as one page; a full page names where the next begins."""
    is_full = limit is not None and len(rows) >= limit
    return {"items": list(rows), "next": rows[-1]["id"] if is_full else None}
