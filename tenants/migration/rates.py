"""The rate of migration (上云率): what a system counts as, and sums that no rounding can talk up. Pure.

D are the systems that should have moved, N those of them that have: 上云率 = N / D, pooled over a scope. All
numbers are integers; a weight of 100 is a whole system. The verified rate asks the same of what can be
proved: evidence that cannot be had is unknown, which is never yes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tenants.migration.rule import CentrallyBuilt, Classified, Exempt, ProvedBackup, Rule

WHOLE = 100  # the weight of one system
PER_CENT = 100  # hundredths of a percent in one percent


class Reason(StrEnum):
    """Why a system is not in the denominator. Keys of stored figures: never rename one."""

    RETIRED = "retired"
    MERGED = "merged"
    SUSPENDED = "suspended"
    NOT_YET = "not_yet"  # planned or being built
    OTHER_LEVEL = "other_level"
    CLASSIFIED = "classified"
    CENTRALLY_BUILT = "centrally_built"
    EXEMPT = "exempt"


# Left out by somebody's decision: their share is shown, and watched.
DECIDED = (Reason.CLASSIFIED, Reason.CENTRALLY_BUILT, Reason.EXEMPT)
ENDED = (Reason.RETIRED, Reason.MERGED, Reason.SUSPENDED)
_BY_LIFE_STATE = {
    "retired": Reason.RETIRED,
    "merged": Reason.MERGED,
    "suspended": Reason.SUSPENDED,
}


class Answer(StrEnum):
    """What evidence says."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Facts:
    """All of a system, on one day, that a rule may ask about; systems with the same facts count alike."""

    level: str
    life_state: str
    mlps_level: int = 2
    is_new: bool = False
    is_classified: bool = False
    has_decision: bool = False  # the decision that it is classified has its document
    is_centrally_built: bool = False
    is_exempt: bool = False  # by an approval that had not run out on the day
    stage: str = "registered"
    hosting: str = "own_room"
    is_partial: bool = False  # only a part was agreed to move
    wants_backup: bool = False  # its DR tier asks for one
    is_old_host_off: bool = False
    has_run_long: bool = False  # one stretch of running, long enough, looked at often enough
    may_have_run_long: bool = False  # the same, but for looks that are too old or too far apart
    is_unseen: bool = False  # nobody could look lately where it is bound
    has_proved_backup: bool = False  # a young point of it was restored from another site and compared
    is_backup_known: bool = False  # policies of backup were kept here at the time
    has_stood_still: bool = False  # looks found nothing running for the days after which it is idle


@dataclass(frozen=True)
class Verdict:
    """What a system counts as."""

    reason: Reason | None  # why it is not in the denominator; none: it is
    weight_hundredths: int = 0  # in the numerator
    verified: Answer | None = None  # asked only of what is in the numerator
    is_idle: bool = False  # 假上云: it counts as moved and nothing runs


@dataclass(frozen=True)
class Tally:
    """How many count as what; tallies of different systems add up."""

    registered: int = 0
    denominator: int = 0
    numerator_hundredths: int = 0
    verified_hundredths: int = 0
    unknown: int = 0
    idle: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        reasons = sorted({*self.excluded, *other.excluded})
        return Tally(
            self.registered + other.registered,
            self.denominator + other.denominator,
            self.numerator_hundredths + other.numerator_hundredths,
            self.verified_hundredths + other.verified_hundredths,
            self.unknown + other.unknown,
            self.idle + other.idle,
            {one: self.excluded.get(one, 0) + other.excluded.get(one, 0) for one in reasons},
        )

    @classmethod
    def of(cls, verdict: Verdict, systems: int = 1) -> "Tally":
        """The tally of so many systems with one verdict."""
        return cls.counted({verdict: systems})

    @classmethod
    def counted(cls, systems: Mapping[Verdict, int]) -> "Tally":
        """The tally of so many systems of each verdict; quick, for rankings of thousands."""
        denominator = weight = verified = unknown = idle = 0
        excluded: dict[str, int] = {}
        for verdict, count in systems.items():
            if verdict.reason is not None:
                excluded[verdict.reason.value] = count
                continue
            denominator += count
            weight += verdict.weight_hundredths * count
            if verdict.verified == Answer.YES:
                verified += verdict.weight_hundredths * count
            elif verdict.verified == Answer.UNKNOWN:
                unknown += count
            if verdict.is_idle:
                idle += count
        registered = denominator + sum(excluded.values())
        return cls(registered, denominator, weight, verified, unknown, idle, excluded)

    def left_out(self, reasons: Iterable[Reason]) -> int:
        """How many are not in the denominator for one of these reasons."""
        return sum(self.excluded.get(one, 0) for one in reasons) if self.excluded else 0


def total(tallies: Iterable[Tally]) -> Tally:
    """The pooled tally: sums of N and of D, never a mean of rates."""
    return sum(tallies, Tally())


# -- one system


def judge(facts: Facts, rule: Rule) -> Verdict:
    """What a system with these facts counts as under the rule."""
    reason = _reason(facts, rule)
    weight = _weight(facts, rule) if reason is None else 0
    if weight == 0:
        return Verdict(reason)
    answers = [answer for _, answer in evidence(facts, rule)]
    return Verdict(None, weight, _all(answers), facts.has_stood_still)


def evidence(facts: Facts, rule: Rule) -> list[tuple[str, Answer]]:
    """Each piece of evidence that the rule asks of a moved system, and what it says."""
    asked = [("live", _live(facts))]
    if rule.old_host_off and not facts.is_new:
        asked.append(("old_host_off", Answer.YES if facts.is_old_host_off else Answer.NO))
    if rule.proved_backup == ProvedBackup.BY_TIER and facts.wants_backup:
        asked.append(("proved_backup", _backed_up(facts)))
    return asked


def _reason(facts: Facts, rule: Rule) -> Reason | None:
    """The first reason that applies: what has ended, then what the rule does not count, then decisions."""
    if facts.life_state not in rule.life_states:
        return _BY_LIFE_STATE.get(facts.life_state, Reason.NOT_YET)
    if facts.level not in rule.levels:
        return Reason.OTHER_LEVEL
    if facts.is_classified and _is_left_out_as_classified(facts, rule):
        return Reason.CLASSIFIED
    if facts.is_centrally_built and rule.centrally_built == CentrallyBuilt.LEFT_OUT:
        return Reason.CENTRALLY_BUILT
    if facts.is_exempt and rule.exempt == Exempt.WHILE_VALID:
        return Reason.EXEMPT
    return None


def _is_left_out_as_classified(facts: Facts, rule: Rule) -> bool:
    if rule.classified == Classified.WITH_DOCUMENT:
        return facts.has_decision
    return rule.classified == Classified.ALWAYS


def _weight(facts: Facts, rule: Rule) -> int:
    if facts.stage not in rule.stages or facts.hosting not in rule.hosted_on:
        return 0
    return rule.partial_weight_hundredths if facts.is_partial else WHOLE


def _live(facts: Facts) -> Answer:
    if facts.has_run_long:
        return Answer.YES
    return Answer.UNKNOWN if facts.may_have_run_long or facts.is_unseen else Answer.NO


def _backed_up(facts: Facts) -> Answer:
    """Unknown only where nobody kept policies yet: then nobody could have known."""
    if facts.has_proved_backup:
        return Answer.YES
    return Answer.NO if facts.is_backup_known else Answer.UNKNOWN


def _all(answers: Sequence[Answer]) -> Answer:
    """Yes when all are; no when one is; unknown otherwise."""
    if Answer.NO in answers:
        return Answer.NO
    return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.YES


# -- rates


def rate_of(hundredths: int, denominator: int) -> int | None:
    """The rate in hundredths of a percent, rounded down; None when nothing should have moved."""
    return hundredths * PER_CENT // denominator if denominator else None


def percent(hundredths: int, denominator: int) -> str | None:
    """The rate as people read it, rounded down: 94.996 is "94.99". None when nothing should have moved."""
    rate = rate_of(hundredths, denominator)
    return None if rate is None else percent_text(rate)


def percent_text(rate: int) -> str:
    """Hundredths of a percent as a percentage: 9500 is "95.00"."""
    sign = "-" if rate < 0 else ""
    return f"{sign}{abs(rate) // PER_CENT}.{abs(rate) % PER_CENT:02d}"


def reaches(hundredths: int, denominator: int, value: int) -> bool | None:
    """Whether the rate reaches `value` hundredths of a percent: exactly, before any rounding."""
    return hundredths * PER_CENT >= value * denominator if denominator else None


def still_to_move(hundredths: int, denominator: int, value: int) -> int:
    """How many whole systems more must move to reach `value` hundredths of a percent."""
    missing = value * denominator - hundredths * PER_CENT
    return max(0, -(-missing // (WHOLE * PER_CENT)))


def systems_text(hundredths: int) -> int | str:
    """A weighted number of systems: 12, or "12.50" when some count in part."""
    return (
        hundredths // WHOLE if hundredths % WHOLE == 0 else f"{hundredths // WHOLE}.{hundredths % WHOLE:02d}"
    )


def ranked(tallies: Mapping[str, Tally]) -> list[tuple[int | None, str]]:
    """Rank and key, the highest rate first: compared exactly; equal rates share a rank, in order of the key.

    The key is a GB/T 2260 code or begins with one. Where nothing should have moved there is no rank.
    Two different fractions differ by more than the inverse of their greatest denominator squared: scaled by
    that square, they are different integers.
    """
    counted = {key: one for key, one in tallies.items() if one.denominator}
    scale = max((one.denominator for one in counted.values()), default=1) ** 2
    rates = {key: one.numerator_hundredths * scale // one.denominator for key, one in counted.items()}
    ranks: list[tuple[int | None, str]] = []
    place, last = 0, -1
    for number, key in enumerate(sorted(rates, key=lambda key: (-rates[key], key)), 1):
        if rates[key] != last:
            place, last = number, rates[key]
        ranks.append((place, key))
    return ranks + [(None, key) for key in sorted(tallies.keys() - rates.keys())]
