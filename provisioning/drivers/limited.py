"""A wrapper around a cloud: at most so many calls side by side per site, whoever makes them."""

import functools
import threading
from collections.abc import Callable
from typing import Any, cast

from cloudctl.errors import CloudBusy
from cloudctl.ports import Cloud

_WAIT_S = 60.0


class Slots:
    """The places of one site; shared by all threads of the process."""

    def __init__(self, count: int, wait_s: float = _WAIT_S) -> None:
        self.count = count
        self._wait_s = wait_s
        self._free = threading.BoundedSemaphore(count)

    def run(self, site: str, call: Callable[[], Any]) -> Any:
        """Make the call when a place is free. CloudBusy when none becomes free in time."""
        if not self._free.acquire(timeout=self._wait_s):
            raise CloudBusy(
                "{site}: all {count} places for calls to this cloud stayed taken for {seconds} s",
                site=site,
                count=self.count,
                seconds=int(self._wait_s),
            )
        try:
            return call()
        finally:
            self._free.release()


class _Limited:
    """Passes every call on through the slots; what a call returns is passed on as it is."""

    def __init__(self, site: str, inner: Any, slots: Slots) -> None:
        self.site = site
        self._inner = inner
        self._slots = slots

    def in_project(self, project_id: str) -> Any:
        return _Limited(self.site, self._inner.in_project(project_id), self._slots)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute):
            return attribute

        @functools.wraps(attribute)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._slots.run(self.site, lambda: attribute(*args, **kwargs))

        self.__dict__[name] = call
        return call


def limited(cloud: Cloud, slots: Slots) -> Cloud:
    """The cloud, with every call of it and of its projects waiting for one of the slots."""
    return cast("Cloud", _Limited(cloud.site, cloud, slots))
