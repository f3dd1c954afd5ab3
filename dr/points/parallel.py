"""Many objects at once, with a bound on threads and on bytes in memory."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from dr.points.format import Stopping, never

T = TypeVar("T")
R = TypeVar("R")

MEMORY_BYTES = 512 << 20
HELD = 3  # times the size of an object, at the worst moment: plain, sealed, and one of them in frames
STREAM_ABOVE_BYTES = 64 << 20  # greater objects of a bucket are never whole in memory
_LOOK_S = 1.0


class Budget:
    """Lets so many bytes be in memory at once: `MEMORY_BYTES` whatever the number of threads, or one object
    that is greater than that, alone."""

    def __init__(self, most_bytes: int = MEMORY_BYTES) -> None:
        self._most = most_bytes
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Wait for room, have it, give it back."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + size_bytes <= self._most)
            self._used += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._used -= size_bytes
                self._changed.notify_all()


def each(items: Iterable[T], work: Callable[[T], R], threads: int, stop: Stopping = never) -> Iterator[R]:
    """The results as they come, in any order.

    Begins nothing more once `stop` (asked here, at least each second) says so; what runs is finished and its
    results are still given. The first error ends it likewise and is raised last, so no result is lost.
    """
    source = iter(items)
    running: set[Future[R]] = set()
    errors: list[BaseException] = []
    is_open = True
    with ThreadPoolExecutor(threads) as pool:
        while True:
            is_open = is_open and not errors and not stop()
            while is_open and len(running) < threads:
                try:
                    running.add(pool.submit(work, next(source)))
                except StopIteration:
                    is_open = False
            if not running:
                break
            done, running = wait(running, _LOOK_S, FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is None:
                    yield future.result()
                else:
                    errors.append(error)
    if errors:
        raise errors[0]
