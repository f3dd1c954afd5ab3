"""Tables of the quota ledger: one counter row per scope, site and kind; one hold per request and kind."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import Row

ANY_SITE = "*"


class QuotaRow(Row):
    """A limit and its counters at (scope, site or *, kind).

    `load` is what counts against the limit: at a leaf held + used; above, the sum over the children of
    max(guarantee, load), so that a guarantee given to one child cannot be eaten by another.
    """

    __tablename__ = "quota"
    __table_args__ = (
        UniqueConstraint("scope_kind", "scope_id", "site", "kind"),
        CheckConstraint("held >= 0", name="held_not_negative"),
        CheckConstraint("used >= 0", name="used_not_negative"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    scope_kind: Mapped[str]  # project, department, division
    scope_id: Mapped[str] = mapped_column(index=True)
    site: Mapped[str] = mapped_column(default=ANY_SITE)
    kind: Mapped[str]
    limit: Mapped[int | None]  # null: no limit at this level
    guarantee: Mapped[int] = mapped_column(default=0)
    held: Mapped[int] = mapped_column(default=0)
    used: Mapped[int] = mapped_column(default=0)
    load: Mapped[int] = mapped_column(default=0)


class Hold(Row):
    """An amount of one kind reserved by a request at one project; freed or converted exactly once."""

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint("request_id", "kind"),
        CheckConstraint("amount > 0", name="amount_positive"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    site_id: Mapped[str]
    kind: Mapped[str]
    amount: Mapped[int]
    state: Mapped[str] = mapped_column(default="held")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
