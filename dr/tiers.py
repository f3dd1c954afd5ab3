"""The tiers of protection: what each demands of a policy, and the least that the rules ask of a system. Pure.

Which tier a system has to have is said once, by the rules of the register: key data has an offsite backup,
a key application runs active-active, a system of MLPS level 3 has an offsite backup; the six basic libraries
are both key data and key applications by rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dr.levels import DAY_S, HOUR_S
from tenants.register.objections import least_tier


@dataclass(frozen=True)
class Tier:
    """What a tier demands, and what a policy of it says where nobody says otherwise.

    `copies_offsite` are vaults at other sites than the data's; `level` is the least to which points have to
    be proved, `prove_every_s` how often at the latest. `runs_at_sites` is what a backup alone cannot give.
    """

    name: str
    number: int
    title: str
    copies_offsite: int = 0
    level: str = "L1"
    prove_every_s: int = 7 * DAY_S
    every_s: int = DAY_S
    full_every: int = 7
    retention: Mapping[str, int] = field(default_factory=dict)
    lock_s: int = 7 * DAY_S
    runs_at_sites: int = 1


TIERS: Mapping[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier("T0", 0, "no backup"),
        Tier("T1", 1, "local backup", retention={"last": 3, "daily": 7, "weekly": 4}),
        Tier(
            "T2",
            2,
            "offsite data",
            copies_offsite=1,
            level="L2",
            retention={"last": 3, "daily": 14, "weekly": 8, "monthly": 12, "yearly": 1},
            lock_s=14 * DAY_S,
        ),
        Tier(
            "T3",
            3,
            "offsite application",
            copies_offsite=1,
            level="L4",
            prove_every_s=30 * DAY_S,
            every_s=4 * HOUR_S,
            full_every=42,
            retention={"last": 12, "daily": 30, "weekly": 8, "monthly": 12, "yearly": 3},
            lock_s=30 * DAY_S,
        ),
        Tier(
            "T4",
            4,
            "active-active",
            copies_offsite=1,
            level="L4",
            prove_every_s=30 * DAY_S,
            every_s=HOUR_S,
            full_every=168,
            retention={"last": 24, "daily": 30, "weekly": 8, "monthly": 12, "yearly": 3},
            lock_s=30 * DAY_S,
            runs_at_sites=2,
        ),
    )
}
OF_POLICIES = tuple(name for name, tier in TIERS.items() if tier.number)  # T0 needs no policy


@dataclass(frozen=True)
class SystemFacts:
    """What the register says of a system, as far as tiers ask."""

    is_key_application: bool = False
    has_key_data: bool = False
    basic_library: str | None = None
    mlps_level: int = 2
    dr_tier: int | None = None  # wanted: a lower one than the rules allow counts as the least
    is_classified: bool = False  # never backed up here, whatever else it is


def least(facts: SystemFacts) -> int:
    """The number of the lowest tier that the rules allow; 0 for a classified system, which is never here."""
    if facts.is_classified:
        return 0
    is_library = facts.basic_library is not None
    return least_tier(
        {
            "is_key_application": facts.is_key_application or is_library,
            "has_key_data": facts.has_key_data or is_library,
            "mlps_level": facts.mlps_level,
        }
    )[0]


def demanded(facts: SystemFacts) -> int:
    """The number of the tier that the system has to have: what it wants, and never less than the rules."""
    return 0 if facts.is_classified else max(facts.dr_tier or 0, least(facts))
