"""A wrapper around the wire: at most so many HTTP calls to a site side by side, whoever makes them.

It sits below everything that speaks to the site (pages of a listing, tokens and discovery included), so
that a call of the port which is several HTTP calls takes as many slots as it really uses.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from keystoneauth1.session import TCPKeepAliveAdapter

from cloudctl.errors import CloudBusy

_WAIT_S = 60.0


class Slots:
    """The places of one site; shared by all threads of the process."""

    def __init__(self, site: str, count: int, wait_s: float = _WAIT_S) -> None:
        self.site = site
        self.count = count
        self._wait_s = wait_s
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. CloudBusy when none becomes free in time."""
        if not self._free.acquire(timeout=self._wait_s):
            raise CloudBusy(
                "{site}: all {count} places for calls to this cloud stayed taken for {seconds} s",
                site=self.site,
                count=self.count,
                seconds=int(self._wait_s),
            )
        try:
            yield
        finally:
            self._free.release()


class LimitedAdapter(TCPKeepAliveAdapter):
    """Sends when a place is free; keeps as many connections as there are places."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        super().__init__(pool_maxsize=slots.count)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Wait for a place, then send."""
        with self._slots.taken():
            return super().send(request, *args, **kwargs)
