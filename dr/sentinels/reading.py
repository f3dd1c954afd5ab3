"""Sentinels as the probe inside a drill is asked for them, and what its words say of a loss. Pure.

Inside an isolated network there are no names, so the host of `read_url` has to be the name or the address of
a server; any other host stands for whichever server answers there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from dr.isolated.checks import SENTINELS, SENTINELS_TLS, Check
from dr.plans.document import Sentinels
from dr.sentinels import found, loss
from dr.sentinels.found import Found
from dr.sentinels.loss import Entry, Loss
from dr.sentinels.record import Moment

_PORTS = {"http": 80, "https": 443}


def check_of(wanted: Sentinels, servers: Sequence[str] = ()) -> Check:
    """What the probe is to be asked; `servers`: those of the plan, of which one may be the URL's host."""
    url = urlsplit(wanted.read_url)
    is_tls = url.scheme == "https"
    path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
    server = url.hostname or ""
    named = next((one for one in servers if one.lower() == server), "")
    return Check(
        SENTINELS_TLS if is_tls else SENTINELS, url.port or _PORTS[url.scheme], server=named, path=path
    )


def is_of_sentinels(name: str) -> bool:
    """Whether the id of a question, as reports of the probe have it, asked for sentinels."""
    return name.partition("://")[0] in (SENTINELS, SENTINELS_TLS)


def of_checks(checks: Mapping[str, tuple[bool, str]]) -> Found | None:
    """What the newest report of a probe says came back, by the server that has most; None: none could say."""
    seen = [found.of_words(saw) for key, (passed, saw) in checks.items() if passed and is_of_sentinels(key)]
    return max((one for one in seen if one is not None), key=lambda one: one.count, default=None)


def last_answer(journal: Sequence[Entry], before: datetime) -> Moment | None:
    """When the application was last known to answer before that time: what a real fault is counted from.

    The fault itself is seen by nobody; it lies between this and the next sentinel that was not acknowledged.
    """
    known = [one.acked for one in journal if one.acked is not None and one.acked.at <= before]
    return max(known, key=lambda one: one.at, default=None)


def loss_of_drill(
    journal: Sequence[Entry], checks: Mapping[str, tuple[bool, str]], fault: Moment, read_at: datetime
) -> Loss:
    """The loss that a drill shows: `checks` of the newest report of the probe, `read_at` when it was read."""
    return loss.count(journal, of_checks(checks), fault, read_at)
