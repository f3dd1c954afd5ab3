"""Calls to one site side by side, never more of them than the site has slots, whoever asks."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudctl.errors import CloudctlError

T = TypeVar("T")


@dataclass(frozen=True)
class Result(Generic[T]):
    """What became of one call: its value, or the error it met."""

    value: T | None = None
    error: CloudctlError | None = None

    def unwrap(self) -> T:
        """The value; raises the error there was."""
        if self.error is not None:
            raise self.error
        assert self.value is not None
        return self.value


class Lanes:
    """One bounded pool of threads per site, shared by all operations of this process."""

    def __init__(self) -> None:
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def all(self, site_id: str, slots: int, jobs: Sequence[Callable[[], T]]) -> list[Result[T]]:
        """Run the jobs; results in their order. One that meets trouble does not stop the others.

        Only errors of cloudctl's families become results; anything else is raised once all have ended.
        """
        futures = [self._pool(site_id, slots).submit(_caught, job) for job in jobs]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def must(self, site_id: str, slots: int, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """The same for jobs that must all go well; raises the error that `worst` picks."""
        results = self.all(site_id, slots, jobs)
        error = worst(results)
        if error is not None:
            raise error
        return [result.value for result in results]  # type: ignore[misc]  # no error: a value, None included

    def _pool(self, site_id: str, slots: int) -> ThreadPoolExecutor:
        with self._lock:
            pool = self._pools.get(site_id)
            if pool is None:
                pool = ThreadPoolExecutor(max_workers=slots, thread_name_prefix=f"site-{site_id}")
                self._pools[site_id] = pool
            return pool


def worst(results: Sequence[Result[T]]) -> CloudctlError | None:
    """The error that decides: one that no retry cures before one that may pass; None without any."""
    errors = [result.error for result in results if result.error is not None]
    return min(errors, key=lambda error: error.retry) if errors else None


def _caught(job: Callable[[], T]) -> Result[T]:
    try:
        return Result(job())
    except CloudctlError as error:
        return Result(error=error)
