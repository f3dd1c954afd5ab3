"""The tables of a bulletin, the same for page, PDF and workbook: columns of a kind, rows of values. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tenants.bulletin.content import Bulletin, Line
from tenants.bulletin.method import rows as how_counted
from tenants.bulletin.values import Kind, Value
from tenants.bulletin.wording import Wording


@dataclass(frozen=True)
class Column:
    """A heading, in what unit, and what stands below it."""

    title: str
    kind: Kind = Kind.TEXT
    width: int = 10  # in digits: of a workbook's column, and its share of the page
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def share(self, column: Column) -> str:
        """Of the page's width, in percent."""
        return f"{column.width * 100 / sum(one.width for one in self.columns):.2f}%"


def summary(bulletin: Bulletin, words: Wording) -> Table:
    """The whole, the own level, what lies below it, and new systems."""
    lines = (
        (words.whole(), bulletin.total),
        (words.own_level(), bulletin.own),
        (words.below(), bulletin.rest),
        (words.to("New systems"), bulletin.new),
    )
    columns = (Column(words.to("Scope of figures"), width=17), *_figures(words), *_against_target(words))
    rows = tuple((name, *_counted(line), _goal(line), line.missing) for name, line in lines)
    return Table(words.to("Figures of the month"), columns, rows)


def ranking(bulletin: Bulletin, words: Wording) -> Table:
    """The areas right below, the best first, each beside its target."""
    columns = (
        Column(words.to("Rank"), Kind.NUMBER, 8),
        Column(words.to("Area"), width=16),
        *_figures(words),
        _missing(words),
        Column(words.to("Beside the target"), Kind.BAR, 28),
    )
    rows = tuple((line.rank, line.name, *_counted(line), line.missing, line) for line in bulletin.areas)
    return Table(words.to("Ranking of {areas} by rate", areas=words.areas()), columns, rows)


def units(bulletin: Bulletin, words: Wording) -> Table:
    """The departments of the own level, the best first."""
    columns = (
        Column(words.to("Rank"), Kind.NUMBER, 8),
        Column(words.to("Department"), width=40),
        *_figures(words),
        _missing(words),
    )
    rows = tuple((line.rank, line.name, *_counted(line), line.missing) for line in bulletin.units)
    return Table(words.to("Departments of {level}", level=words.own_level()), columns, rows)


def late(bulletin: Bulletin, words: Wording) -> Table:
    """Who misses the target and by how many systems: areas first, then departments, the furthest first."""
    columns = (
        Column(words.to("Area or department"), width=34),
        Column(words.to("Rate on the cloud"), Kind.RATE),
        *_against_target(words),
        Column(words.to("Due on"), Kind.DAY, 16),
    )
    return Table(
        words.to("Areas and departments short of the target"), columns, tuple(_late(bulletin, words))
    )


def idle(bulletin: Bulletin, words: Wording) -> Table:
    """What is reported on the cloud and runs nothing there."""
    columns = (
        Column(words.to("No."), Kind.NUMBER, 8),
        Column(words.to("Area"), width=12),
        Column(words.to("Department"), width=32),
        Column(words.to("System"), width=30),
        Column(words.to("Code of the system"), width=22),
    )
    rows = tuple((n, one.area, one.unit, one.name, one.id) for n, one in enumerate(bulletin.idle, 1))
    return Table(words.to("Systems reported on the cloud with nothing running there"), columns, rows)


def changes(bulletin: Bulletin, words: Wording) -> Table:
    """What came into the denominator and what left it."""
    columns = (
        Column(words.to("Change of the denominator"), width=18),
        Column(words.to("How many of them"), Kind.NUMBER, 9, words.to("systems")),
        Column(words.to("Systems by name"), width=70),
    )
    rows = tuple(
        (words.shift(one.reason), one.count if one.is_entering else -one.count, words.some(one.names))
        for one in bulletin.shifts
    )
    return Table(words.to("Changes of the denominator"), columns, rows)


def changed(bulletin: Bulletin, words: Wording) -> Table:
    """The same, a row for each system; those that may not be named are counted in one."""
    columns = (
        Column(words.to("Change of the denominator"), width=22),
        Column(words.to("How many of them"), Kind.NUMBER, 9, words.to("systems")),
        Column(words.to("System"), width=60),
    )
    return Table(words.to("Changes of the denominator"), columns, tuple(_changed(bulletin, words)))


def method(bulletin: Bulletin, words: Wording) -> Table:
    """By which rule and from which figures (口径)."""
    columns = (Column(words.to("Item"), width=16), Column(words.to("Content"), width=80))
    return Table(words.to("How it was counted"), columns, tuple(how_counted(bulletin, words)))


def _figures(words: Wording) -> tuple[Column, ...]:
    systems = words.to("systems")
    return (
        Column(words.to("Systems that count"), Kind.NUMBER, 12, systems),
        Column(words.to("On the cloud"), Kind.SYSTEMS, 11, systems),
        Column(words.to("Rate on the cloud"), Kind.RATE, 11),
        Column(words.to("Verified rate"), Kind.RATE, 14),
        Column(words.to("Against the month before"), Kind.POINTS, 12, words.to("points")),
    )


def _against_target(words: Wording) -> tuple[Column, ...]:
    return Column(words.to("Target"), Kind.RATE, 10), _missing(words)


def _missing(words: Wording) -> Column:
    return Column(words.to("Short by"), Kind.NUMBER, 10, words.to("systems"))


def _counted(line: Line) -> tuple[Value, ...]:
    count = line.count
    return count.denominator, count.numerator_hundredths, line.rate, line.verified_rate, line.change


def _goal(line: Line) -> int | None:
    return line.goal.value if line.goal is not None else None


def _late(bulletin: Bulletin, words: Wording) -> Iterable[tuple[Value, ...]]:
    for line in (*bulletin.areas_behind, *bulletin.units_behind):
        if line.goal is not None:
            yield line.name, line.rate, line.goal.value, line.missing, words.day(line.goal.due_on)


def _changed(bulletin: Bulletin, words: Wording) -> Iterable[tuple[Value, ...]]:
    for one in bulletin.shifts:
        sign = 1 if one.is_entering else -1
        for name in one.names:
            yield words.shift(one.reason), sign, name
        if unnamed := one.count - len(one.names):
            yield words.shift(one.reason), sign * unnamed, words.to("classified systems")
