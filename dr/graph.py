"""The graph of what needs what: which part may begin now, and how long the whole takes at least. Pure.

`needs` has every node as a key, with the nodes that must be done before it may begin. A need that is no key
is never done: whoever reads a plan finds that fault before. All functions give the same for the same input,
in the order of the keys where they give a list.
"""

from collections.abc import Collection, Iterable, Mapping

Needs = Mapping[str, Iterable[str]]


def cycles(needs: Needs) -> list[tuple[str, ...]]:
    """One way around for each knot of nodes that wait for each other, from its first node."""
    graph = {node: [one for one in wanted if one in needs] for node, wanted in needs.items()}
    found: list[tuple[str, ...]] = []
    told: set[str] = set()
    for node in graph:
        way = None if node in told else _way_round(graph, node)
        if way is not None:
            found.append(way)
            reached = _reached(graph, node)
            told |= {one for one in reached if node in _reached(graph, one)}
    return found


def ready(
    needs: Needs,
    begun: Collection[str],
    done: Collection[str],
    failed: Collection[str],
    slots: int,
    seconds: Mapping[str, float] | None = None,
) -> list[str]:
    """What may begin now, the most urgent first: no more than the slots that are free.

    A node begins when all it needs is done; whatever else hangs or fails does not hold it up. Urgent is what
    the longest way hangs on: by seconds where they are known, else by the number of nodes. Whatever is begun
    and neither done nor failed holds a slot.
    """
    running = set(begun) - set(done) - set(failed)
    over = {*begun, *done, *failed}
    free = [node for node, wanted in needs.items() if node not in over and set(wanted) <= set(done)]
    left = _left(needs, seconds or dict.fromkeys(needs, 1.0))
    free.sort(key=lambda node: -left[node])
    return free[: max(0, slots - len(running))]


def blocked(needs: Needs, failed: Collection[str]) -> set[str]:
    """What never begins because something it needs, directly or not, has failed."""
    return {node for node in _reached(_turned(needs), *failed) if node not in failed}


def critical_path(needs: Needs, seconds: Mapping[str, float]) -> float:
    """Seconds of the longest chain: no number of slots makes it shorter. ValueError on a cycle."""
    return max(_left(needs, seconds).values(), default=0.0)


def longest_chain(needs: Needs, seconds: Mapping[str, float]) -> list[str]:
    """The nodes of that chain, from the one that begins."""
    left, above = _left(needs, seconds), _turned(needs)
    chain: list[str] = []
    choice = [node for node, wanted in needs.items() if not any(one in needs for one in wanted)]
    while choice:
        chain.append(max(choice, key=lambda node: left[node]))
        choice = above[chain[-1]]
    return chain


def bound(needs: Needs, seconds: Mapping[str, float], slots: int) -> float:
    """What nobody can do it faster than: the longest chain, or all the work over the slots. Graham 1966."""
    work = sum(seconds.get(node, 0.0) for node in needs)
    return max(critical_path(needs, seconds), work / slots)


def in_order(needs: Needs) -> list[str]:
    """All nodes, each after what it needs. ValueError on a cycle."""
    waits = {node: {one for one in wanted if one in needs} for node, wanted in needs.items()}
    order: list[str] = []
    while waits:
        free = [node for node, wanted in waits.items() if not wanted]
        if not free:
            raise ValueError(f"wait for each other: {', '.join(waits)}")
        order += free
        waits = {node: wanted - set(free) for node, wanted in waits.items() if node not in free}
    return order


def _left(needs: Needs, seconds: Mapping[str, float]) -> dict[str, float]:
    """How long it takes from the beginning of each node until everything that hangs on it is done."""
    above, left = _turned(needs), dict[str, float]()
    for node in reversed(in_order(needs)):
        left[node] = seconds.get(node, 0.0) + max((left[one] for one in above[node]), default=0.0)
    return left


def _turned(needs: Needs) -> dict[str, list[str]]:
    """Of each node, what needs it."""
    above: dict[str, list[str]] = {node: [] for node in needs}
    for node, wanted in needs.items():
        for one in wanted:
            above.setdefault(one, []).append(node)
    return above


def _reached(graph: Mapping[str, Iterable[str]], *begins: str) -> set[str]:
    """Everything one comes to by one step or more."""
    seen: set[str] = set()
    ahead = [one for begin in begins for one in graph.get(begin, ())]
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead += graph.get(node, ())
    return seen


def _way_round(graph: Mapping[str, list[str]], begin: str) -> tuple[str, ...] | None:
    """The shortest way from a node back to itself."""
    came: dict[str, str] = {}
    ahead = [begin]
    for node in ahead:
        for one in graph[node]:
            if one == begin:
                return _back(came, begin, node)
            if one not in came:
                came[one] = node
                ahead.append(one)
    return None


def _back(came: Mapping[str, str], begin: str, node: str) -> tuple[str, ...]:
    way = [node]
    while way[-1] != begin:
        way.append(came[way[-1]])
    return tuple(reversed(way))
