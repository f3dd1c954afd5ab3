"""Tables of requests: what is asked, who said what about it, and who has to know."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, JsonList, Row


class ServiceRequest(Row):
    """What a department asks for."""

    __tablename__ = "service_request"
    __table_args__ = (
        UniqueConstraint("requested_by", "idempotency_key"),
        Index("ix_service_request_state_expires", "state", "expires_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # project, vm, volume, backup, release
    state: Mapped[str]
    department_id: Mapped[str] = mapped_column(ForeignKey("department.id"), index=True)
    system_id: Mapped[str] = mapped_column(ForeignKey("information_system.id"), index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    zone: Mapped[str | None]
    draft: Mapped[JsonDict]  # the form as checked: count, flavor, image, volumes, key ...
    needed: Mapped[JsonDict] = mapped_column(default=dict)  # Amounts.as_json() of what it holds
    stages: Mapped[JsonList] = mapped_column(default=list)  # approval stages as decided at submit
    stage: Mapped[int] = mapped_column(default=0)  # index of the stage that waits
    approval_number: Mapped[str | None]  # 立项批文
    payer: Mapped[str | None]  # who pays
    reason: Mapped[str | None]
    requested_by: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    idempotency_key: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)  # compare-and-set
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]  # an unanswered request is timed out then
    ended_at: Mapped[datetime | None]
    operation_id: Mapped[int | None]
    delivered: Mapped[JsonDict] = mapped_column(default=dict)  # addresses, login, how to get in
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    cloud_request_id: Mapped[str | None]


class Approval(Row):
    """One person's decision with an opinion on one stage of a request."""

    __tablename__ = "approval"
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), index=True)
    round: Mapped[int] = mapped_column(default=1)  # a returned and resubmitted request starts anew
    stage: Mapped[int]
    stage_name: Mapped[str]
    verdict: Mapped[str]  # approved, returned, rejected
    opinion: Mapped[str] = mapped_column(default="")
    decided_by: Mapped[str] = mapped_column(ForeignKey("user.id"))
    decided_at: Mapped[datetime]


class Notice(Row):
    """Something a person has to do or know: the row of an outbox, whatever way it is sent later."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    template: Mapped[str]  # translated when shown
    params: Mapped[JsonDict] = mapped_column(default=dict)
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    needs_action: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]  # the action was taken, by whoever
    sent_at: Mapped[datetime | None]  # by mail or webhook, once senders exist
