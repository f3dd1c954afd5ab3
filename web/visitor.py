"""Who is asking, in which language, for which installation: what every view needs of the running request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from flask import current_app, g, request

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Misconfigured, NotSignedIn, Refused, Translate
from cloudctl.ports import ConnectableClouds, Dns, Stores
from cloudctl.store import UnitOfWork
from cloudctl.texts import LANGUAGES, Words, office_words, translator
from dr.keyring import Keyring
from dr.plans.facts import Outside
from tenants.people import Visit

EXTENSION = "cloudctl"
LANGUAGE_COOKIE = "cloudctl_language"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """What the application was given."""

    core: Core
    clouds: ConnectableClouds
    stores: Stores | None = None
    keyring: Callable[[], Keyring] | None = None
    outside: Callable[[], Outside] | None = None
    dns: Callable[[], Dns] | None = None


def parts() -> Parts:
    """What this application was given."""
    given = current_app.extensions[EXTENSION]
    assert isinstance(given, Parts)
    return given


def core() -> Core:
    return parts().core


def stores() -> Stores:
    """The buckets of all sites. Misconfigured where the installation has none."""
    found = parts().stores
    if found is None:
        raise Misconfigured("this installation has no stores.yaml")
    return found


def keyring() -> Keyring:
    """The keys with which points are signed and opened. Misconfigured where the installation has none."""
    found = parts().keyring
    if found is None:
        raise Misconfigured("this installation has no keys for recovery points")
    return found()


def outside() -> Outside:
    """Whatever protection plans are judged by: clouds, and storage and witness where there are some."""
    made = parts().outside
    return made() if made is not None else Outside(parts().clouds)


def dns() -> Dns:
    """The name service. Refused where the installation has none."""
    made = parts().dns
    if made is None:
        raise Refused("this installation has no dns.yaml")
    return made()


def visit() -> Visit | None:
    """The browser's session, when the request came with a valid one."""
    found = g.get("visit")
    return found if isinstance(found, Visit) else None


def actor() -> Actor:
    """Who is signed in. NotSignedIn when nobody is."""
    found = g.get("actor")
    if not isinstance(found, Actor):
        raise NotSignedIn("sign in first")
    return found


def read(query: Callable[Concatenate[UnitOfWork, Actor, P], T], *args: P.args, **named: P.kwargs) -> T:
    """What the query answers to whoever is signed in, in a transaction of its own that only reads."""
    with core().store.read() as uow:
        return query(uow, actor(), *args, **named)


def request_id() -> str:
    return str(g.get("request_id", ""))


def is_api() -> bool:
    """Whether a program asks: it gets JSON, never a page."""
    return request.path.startswith("/api/")


def language() -> str:
    """`zh` or `en`. Programs choose by Accept-Language, people by the switch on every page."""
    if is_api():
        return request.accept_languages.best_match(LANGUAGES) or "zh"
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    here = visit()
    return here.language if here is not None else "zh"


def translate() -> Translate:
    return translator(language())


def words() -> Words:
    return office_words(language())
