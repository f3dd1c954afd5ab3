"""Two frozen months of a small province, from which bulletins are made."""

from datetime import UTC, date, datetime

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from tenants.migration import snapshots
from tests.builders import an_actor
from tests.counted_register import MOVED, a_city, a_province_without_systems, a_system, a_target, then

OCTOBER, NOVEMBER = "2026-10", "2026-11"
IN_NOVEMBER = datetime(2026, 11, 5, tzinfo=UTC)
AFTER = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def two_months(core: Core, clock: FrozenClock) -> None:
    """October and November are frozen; it is the first of December.

    The finance department has 4 systems of which 2, then 3 have moved; a fifth is retired in November. 柳州市
    has 2, then 3 of which 1 has moved; 南宁市's only one has not.
    """
    a_province_without_systems(core)
    city = a_city(core, "450200", "柳州市", "lz-finance")
    a_target(core, "division:450000", 9500, date(2026, 12, 31))
    a_target(core, city, 3000, date(2027, 6, 30))
    for number in range(4):
        a_system(core, f"fin-{number}", **(MOVED if number < 2 else {}))
    a_system(core, "fin-old")
    a_system(core, "lz-0", "lz-finance", level="city", **MOVED)
    a_system(core, "lz-1", "lz-finance", level="city")
    a_system(core, "nn-0", "nn-qingxiu-edu", level="city")
    clock.advance((IN_NOVEMBER - clock.now()).total_seconds())
    snapshots.take(core, an_actor(core, "dave"), OCTOBER)
    then(core, "fin-2", IN_NOVEMBER, **MOVED)
    then(core, "fin-old", IN_NOVEMBER, life_state="retired", stage="retired")
    a_system(
        core, "lz-2", "lz-finance", level="city", valid_from=IN_NOVEMBER, commissioned_on=date(2026, 11, 5)
    )
    clock.advance((AFTER - clock.now()).total_seconds())
    snapshots.take(core, an_actor(core, "dave"), NOVEMBER)
