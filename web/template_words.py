"""What templates can call: translation, office words, times, amounts, and who is signed in."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask, request, url_for
from markupsafe import Markup

from cloudctl.queries.notices import count_unread
from web import wording
from web.auth import CSRF_FIELD
from web.visitor import core, language, request_id, translate, visit, words

# endpoint, text, the endpoints it stands for, right
MENU = (("audit_pages.list_events", "Audit", "audit_pages.", "audit.see"),)
# What a page says after an act sent the browser there: `?done=` names a line, never carries one.
DONE: Mapping[str, str] = {
    "password_changed": "The password was changed.",
    "token_revoked": "The token was revoked.",
}
_SUBJECTS: Mapping[str, tuple[str, str]] = {}


def register(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(moment=wording.moment, amounts=wording.amounts, plain_json=_plain_json)
    app.jinja_env.globals.update(
        _=_say,
        word=_word,
        amount=wording.amount,
        csrf_field=_csrf_field,
        may=_may,
        place_name=_place_name,
        subject_link=subject_link,
        request_id=request_id,
    )
    app.context_processor(_of_this_request)


def subject_link(subject: str) -> str | None:
    """The page of `kind:id`, when there is one."""
    kind, _, key = subject.partition(":")
    endpoint, name = _SUBJECTS.get(kind, ("", ""))
    values: dict[str, Any] = {name: key}
    return url_for(endpoint, **values) if endpoint else None


def _of_this_request() -> dict[str, object]:
    here = visit()
    done = request.args.get("done", "")
    unread = 0
    if here is not None:
        with core().store.read() as uow:
            unread = count_unread(uow, here.actor)
    return {
        "language": language(),
        "actor": here.actor if here is not None else None,
        "unread": unread,
        "done": translate()(DONE[done]) if done in DONE else None,
        "here": request.endpoint or "",
        "menu": MENU,
        "onward_here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "now": core().clock.now(),
    }


def _say(template: str, **params: object) -> str:
    """The template in the reader's language, filled in."""
    said = translate()(template)
    return said.format(**params) if params else said


def _word(context: str, value: str | None) -> str:
    return words()(context, value) if value else "—"


def _place_name(place: str) -> str:
    """The field of a form as people know it."""
    return words()("field", place)


def _csrf_field() -> Markup:
    here = visit()
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, here.csrf if here else "")


def _may(right: str) -> bool:
    """Whether the person holds the right anywhere: for what the menu shows, never for what is allowed."""
    here = visit()
    return here is not None and bool(here.actor.scopes(right))


def _plain_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
