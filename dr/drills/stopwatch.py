"""Seconds since a drill began, on the monotonic clock of the machine where it began.

A worker on another machine, or after a reboot, has only the wall's clock: what is measured then is marked.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudctl.clock import Clock
from dr.sentinels.record import Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
Reading = Callable[[Clock], Moment]


def read(clock: Clock) -> Moment:
    """Now, on both clocks; the boot is empty where the system does not tell it."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return Moment(clock.now(), time.monotonic(), boot)


def as_json(moment: Moment) -> dict[str, Any]:
    """As a row keeps it."""
    return {"at": moment.at.isoformat(), "monotonic_s": moment.monotonic_s, "boot": moment.boot}


def of_json(row: Mapping[str, Any]) -> Moment:
    """As `as_json` gave it."""
    return Moment(datetime.fromisoformat(row["at"]), float(row["monotonic_s"]), str(row["boot"]))


def since(begin: Moment, now: Moment) -> tuple[float, bool]:
    """Seconds from `begin`, never less than none, and whether one monotonic clock says so. Pure."""
    is_one_clock = bool(begin.boot) and begin.boot == now.boot
    span_s = now.monotonic_s - begin.monotonic_s if is_one_clock else (now.at - begin.at).total_seconds()
    return round(max(0.0, span_s), 3), is_one_clock
