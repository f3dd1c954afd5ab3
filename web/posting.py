"""What the form of a page does, and where the browser goes then."""

from collections.abc import Callable

from flask import redirect
from werkzeug.wrappers import Response

from cloudctl.errors import CloudctlError, NotFound
from web.errors import status_of

Answer = Response | tuple[str, int]


def act(what: Callable[[], object], then: Callable[[], str], page: Callable[[CloudctlError], str]) -> Answer:
    """Do it and go on at the address that `then` says; where it cannot be done, `page` tells why.

    What is not there, or is hidden from whoever asks, has no page to tell it on: NotFound goes on.
    """
    try:
        what()
    except NotFound:
        raise
    except CloudctlError as error:
        return page(error), int(status_of(error))
    return redirect(then(), 303)
