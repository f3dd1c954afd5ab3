"""People: who has an account, which roles they hold where, and what they sign in with.

Nobody changes their own rights; whoever administers accounts or audits holds no role of the business.
"""

from tenants.people.accounts import (
    LANGUAGES,
    NewUser,
    change_password,
    create_user,
    disable_user,
    enable_user,
    set_language,
    set_password,
)
from tenants.people.administrators import first_administrators
from tenants.people.roles import grant_role, revoke_role
from tenants.people.sessions import Visit, actor_of_session, sign_in, sign_out, visit_of_session
from tenants.people.tokens import actor_of_token, create_token, revoke_token

__all__ = [
    "LANGUAGES",
    "NewUser",
    "Visit",
    "actor_of_session",
    "actor_of_token",
    "change_password",
    "create_token",
    "create_user",
    "disable_user",
    "enable_user",
    "first_administrators",
    "grant_role",
    "revoke_role",
    "revoke_token",
    "set_language",
    "set_password",
    "sign_in",
    "sign_out",
    "visit_of_session",
]
