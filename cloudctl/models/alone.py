"""Tables of working alone: what is exported to each site, what a site's own cloudctl has taken in, and what
came back of the time in which one worked alone."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row


class SiteExport(Row):
    """What was put for one site last; at a site that works alone: what it has put for the home."""

    __tablename__ = "site_export"
    site_id: Mapped[str] = mapped_column(primary_key=True)  # `home`: back to where the plans come from
    sequence: Mapped[int] = mapped_column(default=0)  # counts the bodies, from 1
    tables_sha256: Mapped[str] = mapped_column(default="")  # of the rows that were exported last
    content_sha256: Mapped[str] = mapped_column(default="")  # of all of the last body
    head: Mapped[JsonDict] = mapped_column(default=dict)  # as it was put last; dr/alone/sealing.py
    put_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]  # one of several workers puts
    error: Mapped[str] = mapped_column(default="")
    back: Mapped[JsonDict] = mapped_column(default=dict)  # the head of what the site put while it is alone


class Standby(Row):
    """This installation stands by for the home of its plans; it has one row or none."""

    __tablename__ = "standby"
    id: Mapped[int] = mapped_column(primary_key=True)  # 1
    site_id: Mapped[str]  # whose cloudctl this is
    source: Mapped[str]  # s3://BUCKET, or a file
    state: Mapped[str]  # standby: looks only; alone: moves what is to come to its own site
    head: Mapped[JsonDict] = mapped_column(default=dict)  # what was taken in last
    seen_at: Mapped[datetime | None]  # when the home was last known to be at work, by its own clock
    taken_in_at: Mapped[datetime | None]
    going: Mapped[JsonList] = mapped_column(default=list)  # what was going on at the home; never carried on
    error: Mapped[str] = mapped_column(default="")
    confirmations: Mapped[JsonList] = mapped_column(default=list)  # user, at, reason
    alone_at: Mapped[datetime | None]
    audit_seq: Mapped[int] = mapped_column(default=0)  # the last event of this chain before that
    marks: Mapped[JsonDict] = mapped_column(default=dict)  # of every row as it was then: table, key, hash


class AloneMerge(Row):
    """What a site did alone, as it was merged at the home."""

    __tablename__ = "alone_merge"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str]
    sequence: Mapped[int]  # of the export
    tables_sha256: Mapped[str]
    alone_at: Mapped[datetime]
    merged_at: Mapped[datetime]
    merged_by: Mapped[str]
    report: Mapped[JsonDict] = mapped_column(default=dict)  # see dr/alone/merging.py
    events: Mapped[JsonList] = mapped_column(default=list)  # of the site's own audit chain
