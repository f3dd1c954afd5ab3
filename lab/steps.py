"""Runs steps side by side, each as soon as those it needs are done."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class Step:
    """One piece of work; `needs` names the steps that must be done before it starts."""

    name: str
    run: Callable[[], object]
    needs: tuple[str, ...] = ()


def order(steps: Sequence[Step]) -> list[str]:
    """The names in an order that keeps every need; an unknown need or a circle is a ValueError."""
    waiting = {step.name: set(step.needs) for step in steps}
    if len(waiting) != len(steps):
        raise ValueError("two steps have the same name")
    unknown = {need for needs in waiting.values() for need in needs} - set(waiting)
    if unknown:
        raise ValueError(f"steps need what nobody does: {sorted(unknown)}")
    done: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(done)]
        if not ready:
            raise ValueError(f"steps wait for each other: {sorted(waiting)}")
        done.extend(ready)
        for name in ready:
            del waiting[name]
    return done


def run_all(steps: Sequence[Step], report: Callable[[str], None], workers: int = 12) -> Mapping[str, float]:
    """Runs all steps, returns how long each took; after a failure nothing new starts and it is raised.

    There are more workers than cores because most steps wait for a daemon most of the time.
    """
    order(steps)
    started = time.monotonic()
    waiting = {step.name: step for step in steps}
    running: dict[Future[float], str] = {}
    took: dict[str, float] = {}
    failure: tuple[str, BaseException] | None = None
    with ThreadPoolExecutor(workers) as pool:
        while running or (waiting and failure is None):
            if failure is None:
                for step in [s for s in waiting.values() if all(need in took for need in s.needs)]:
                    running[pool.submit(_timed, step)] = waiting.pop(step.name).name
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                error = future.exception()
                if error is not None:
                    failure = failure or (name, error)
                    continue
                took[name] = future.result()
                if took[name] >= 0.5:
                    report(f"{time.monotonic() - started:6.1f} s  {name} ({took[name]:.1f} s)")
    if failure is not None:
        name, error = failure
        raise LabError(f"{name}: {error}") from error
    return took


def _timed(step: Step) -> float:
    started = time.monotonic()
    step.run()
    return time.monotonic() - started
