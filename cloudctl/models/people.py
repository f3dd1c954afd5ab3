"""Tables of users, the roles they hold somewhere, and what they sign in with."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import Row


class User(Row):
    """A person. Passwords are argon2id hashes; there are no shared accounts."""

    __tablename__ = "user"
    id: Mapped[str] = mapped_column(primary_key=True)  # login name
    name: Mapped[str]
    department_id: Mapped[str | None] = mapped_column(ForeignKey("department.id"), index=True)
    phone: Mapped[str | None]
    password_hash: Mapped[str | None]  # null: cannot sign in with a password
    must_change_password: Mapped[bool] = mapped_column(default=False)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    language: Mapped[str] = mapped_column(default="zh")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class RoleGrant(Row):
    """One role of one person at one scope; below a division it holds for everything inside."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("user_id", "role", "scope_kind", "scope_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    role: Mapped[str]
    scope_kind: Mapped[str]  # department, division, site, installation
    scope_id: Mapped[str]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime]


class Token(Row):
    """A personal token of the CLI or a script; only its SHA-256 is kept."""

    __tablename__ = "token"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Session(Row):
    """A browser's session, kept here so that it can be ended from here."""

    __tablename__ = "session"
    id: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of the cookie's value
    user_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    csrf: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
