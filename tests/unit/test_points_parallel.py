"""Many objects at once: nothing lost, nothing begun in vain, and never more in memory than was said."""

import threading
from collections.abc import Callable

import pytest

from dr.points.parallel import Budget, each


def test_every_item_is_worked_on_once_whatever_the_order() -> None:
    assert sorted(each(range(100), lambda n: n * n, 7)) == [n * n for n in range(100)]
    assert list(each([], lambda n: n, 7)) == []


def test_never_more_threads_than_were_asked_for() -> None:
    running, most, counting = 0, 0, threading.Lock()
    both = threading.Barrier(3)

    def work(_: int) -> None:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        both.wait(10)  # all three run at once, or this breaks
        with counting:
            running -= 1

    assert len(list(each(range(9), work, 3))) == 9
    assert most == 3


def test_the_first_error_ends_it_and_results_that_came_are_kept() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError(number)
        return number

    found: list[int] = []
    with pytest.raises(ValueError, match="3"):
        found.extend(each(range(1000), work, 1))
    assert begun == [0, 1, 2, 3]
    got: list[int] = []
    with pytest.raises(ValueError, match="3"):
        for one in each(range(1000), work, 2):
            got.append(one)
    assert {0, 1, 2} <= set(got)


def test_it_stops_when_told_and_what_runs_is_still_given() -> None:
    answers = iter([False, False, True, True, True])
    found = list(each(range(1000), lambda n: n, 1, lambda: next(answers)))
    assert found == [0, 1]


def test_the_budget_bounds_what_is_held_at_once() -> None:
    budget, held, most, counting = Budget(100), 0, 0, threading.Lock()

    def work(size: int) -> None:
        nonlocal held, most
        with budget.hold(size):
            with counting:
                held += size
                most = max(most, held)
            threading.Event().wait(0.002)
            with counting:
                held -= size

    list(each([40, 70, 30, 100, 10, 60] * 5, work, 6))
    assert most <= 100


def test_what_is_greater_than_the_budget_goes_alone_and_an_error_gives_its_room_back() -> None:
    budget = Budget(10)

    def failing() -> None:
        with budget.hold(50):
            raise ValueError("50")

    tries: list[Callable[[], None]] = [failing, failing]
    for one in tries:
        with pytest.raises(ValueError, match="50"):
            one()
    with budget.hold(10):
        pass
