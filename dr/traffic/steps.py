"""The steps of a shift: shares between what is and what shall be. Pure."""

from collections.abc import Sequence

from dr.traffic.shares import WHOLE, Weights

RAMP = (1, 5, 25, 50, 100)  # hundredths of the way


def steps(
    before: Weights, after: Weights, *, ramp: Sequence[int] = RAMP, is_gradual: bool = True,
    gives_shares: bool = True,
) -> list[dict[str, int]]:  # fmt: skip
    """The shares of each step; the last is `after`, and no two neighbours are the same.

    `is_gradual`: several sites may serve at once. A site that shall serve gets one point at least in the
    first step. Without shares the only thing between one site and another is both alike.
    """
    sites = sorted({*before, *after})
    end = {site: after.get(site, 0) for site in sites}
    if not is_gradual or not any(before.values()):
        return [end]
    start = {site: before.get(site, 0) for site in sites}
    if not gives_shares:
        joint = [site for site in sites if start[site] or end[site]]
        middle = _rounded({site: WHOLE / len(joint) if site in joint else 0.0 for site in sites})
        found = [middle, end]
    else:
        found = [_between(start, end, part) for part in (*ramp[:-1], WHOLE)]
    kept: list[dict[str, int]] = []
    for one in found:
        if one != (kept[-1] if kept else start):
            kept.append(one)
    return kept


def _between(start: Weights, end: Weights, part: int) -> dict[str, int]:
    """A part of the way, in whole points that make a hundred."""
    if part >= WHOLE:
        return dict(end)
    exact = {site: start[site] + (end[site] - start[site]) * part / WHOLE for site in start}
    newcomers = [site for site in start if not start[site] and end[site] and exact[site] < 1]
    for site in newcomers:
        giver = max(exact, key=lambda one: exact[one] - end[one])
        exact[giver] -= 1 - exact[site]
        exact[site] = 1.0
    return _rounded(exact)


def _rounded(exact: dict[str, float]) -> dict[str, int]:
    """Whole points with the same sum of a hundred: the largest remainders get what is left."""
    whole = {site: int(value + 1e-9) for site, value in exact.items()}
    left = WHOLE - sum(whole.values())
    for site in sorted(exact, key=lambda one: (whole[one] - exact[one], one))[: max(left, 0)]:
        whole[site] += 1
    return whole
