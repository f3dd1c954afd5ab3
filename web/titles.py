"""Names for ids that stand alone on a page, read once for each page."""

from collections.abc import Callable

from flask import g

from cloudctl.queries.titles import catalogue_titles, scope_titles, site_titles
from cloudctl.store import UnitOfWork
from web.visitor import core, language, words


def site(site_id: str) -> str:
    """The title of a site."""
    return _known("sites", site_titles).get(site_id, site_id)


def scope(text: str) -> str:
    """`department:gx-finance` as people read it."""
    kind, _, key = text.partition(":")
    if kind == "site":
        return f"{words()('scope', kind)}{_mark()}{site(key)}"
    if key == "*":
        return words()("scope", kind)
    return f"{words()('scope', kind)}{_mark()}{_known('scopes', scope_titles).get(text, key)}"


def _mark() -> str:
    return "：" if language() == "zh" else ": "


def catalogue(kind: str, name: str) -> str:
    """The title of a flavor, image or volume type."""
    title = _known("catalogue", catalogue_titles).get(f"{kind}:{name}")
    return f"{title}（{name}）" if title and kind == "flavor" else title or name


def _known(what: str, read: Callable[[UnitOfWork], dict[str, str]]) -> dict[str, str]:
    known: dict[str, dict[str, str]] = g.setdefault("titles", {})
    if what not in known:
        with core().store.read() as uow:
            known[what] = read(uow)
    return known[what]
