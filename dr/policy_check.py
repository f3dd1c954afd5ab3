"""What is against a policy, and what should be known about it: tier, sites, vaults, members, time. Pure.

Everything is looked at before anything is written, and all faults are told at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cloudctl.errors import Fault
from dr.forecast import Forecast, forecast
from dr.levels import reaches
from dr.policy_form import BUCKET, MemberForm, PolicyForm, duration_text
from dr.retention import Retention
from dr.schedule import Grid, Window, fit
from dr.tiers import SystemFacts, Tier, demanded

_BUCKET_LEVEL = "L2"  # it does not boot, and answers nobody


@dataclass(frozen=True)
class VaultFacts:
    """A vault as it is on record; `promised_bytes` is what other policies still have to put into it."""

    lock_mode: str = "compliance"
    state: str = "ready"
    limit_bytes: int | None = None
    used_bytes: int = 0
    promised_bytes: int = 0

    @property
    def free_bytes(self) -> int | None:
        """What nobody has and nobody was promised; None: there is no end."""
        if self.limit_bytes is None:
            return None
        return max(0, self.limit_bytes - self.used_bytes - self.promised_bytes)


class BucketLook(StrEnum):
    """What a look at a bucket told."""

    FINE = "fine"  # or it is no bucket
    MISSING = "missing"
    UNVERSIONED = "unversioned"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class MemberFacts:
    """What there is of a member: its volumes at the site, and which other policy has it already.

    Of a bucket: what its last point had, which other system it is backed up for, and what a look told.
    """

    volume_bytes: int = 0
    policy: str | None = None
    is_volume_known: bool = True
    has_checks: bool = False
    other_system: str | None = None
    bucket: BucketLook = BucketLook.FINE


@dataclass(frozen=True)
class Facts:
    """Everything a check has to know besides the form. Sites and systems that are not in here are unknown.

    `stored_bytes`: what the policy itself has in each vault already.
    """

    sites: frozenset[str]
    vaults: Mapping[str, VaultFacts]
    systems: Mapping[str, SystemFacts]
    retired: frozenset[str] = frozenset()
    members: Mapping[MemberForm, MemberFacts] = field(default_factory=dict)
    stored_bytes: Mapping[str, int] = field(default_factory=dict)
    increments: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Checked:
    """All that is against the policy, all that should be known all the same, and what it will take."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    forecast: Forecast


def check(form: PolicyForm, members: Sequence[MemberForm], facts: Facts) -> Checked:
    """The policy with these members against the facts."""
    size = sum(facts.members[one].volume_bytes for one in members if one in facts.members)
    grid = Grid(form.every_s, Window.read(form.window))
    retention = Retention.read(form.retention)
    expected = forecast(size, retention, form.every_s, form.full_every, facts.increments)
    faults = [*_time(form, grid, retention), *_tier(form, members), *_members(form, members, facts)]
    warnings = [*_vault_notes(form, facts), *_member_notes(form, members, facts)]
    faults += _vaults(form, expected, facts)
    if grid.is_regular:
        warnings += _line(form, grid, expected)
    return Checked(tuple(faults), tuple(warnings), expected)


def _time(form: PolicyForm, grid: Grid, retention: Retention) -> Iterator[Fault]:
    if not grid.is_regular:
        hint = "write 1h, 4h, 12h, 1d or 1w"
        yield Fault("every", "irregular", "must divide a day, or be a number of days", hint=hint)
    span_s = retention.span_s(form.every_s)
    if form.lock_s > span_s:
        params = {"lock": duration_text(form.lock_s), "span": duration_text(span_s)}
        template = "a lock of {lock} holds points longer than the retention keeps any ({span})"
        yield Fault("lock", "lock_too_long", template, params)
    if form.lock_s < form.prove_every_s:
        params = {"lock": duration_text(form.lock_s), "cycle": duration_text(form.prove_every_s)}
        template = "a lock of {lock} may end before the point is proved again ({cycle})"
        yield Fault("lock", "lock_too_short", template, params)


def _tier(form: PolicyForm, members: Sequence[MemberForm]) -> Iterator[Fault]:
    tier: Tier = form.tier
    if not reaches(form.level, tier.level):
        params = {"tier": tier.name, "least": tier.level}
        yield Fault("level", "level_too_low", "{tier} demands points that are proved to {least}", params)
    if form.prove_every_s > tier.prove_every_s:
        params = {"tier": tier.name, "most": duration_text(tier.prove_every_s)}
        yield Fault(
            "prove_every", "proved_too_rarely", "{tier} demands a proof every {most} at least", params
        )
    buckets = [index for index, one in enumerate(members) if one.kind == BUCKET]
    if buckets and not reaches(_BUCKET_LEVEL, form.level):
        template = "buckets are proved to {most} at most, and the policy demands {level}"
        hint = "put buckets into a policy of their own, of tier T2"
        params = {"most": _BUCKET_LEVEL, "level": form.level}
        yield Fault(f"members[{buckets[0]}]", "bucket_level", template, params, hint)
    for index, one in enumerate(members):
        offsite = [site for site in form.vaults if site != one.site]
        if len(offsite) < tier.copies_offsite:
            lacking = {"tier": tier.name, "site": one.site, "needed": tier.copies_offsite}
            template = "{tier} demands {needed} copy at another site than {site}, where the data is"
            yield Fault(f"members[{index}].site", "not_offsite", template, lacking)


def _members(form: PolicyForm, members: Sequence[MemberForm], facts: Facts) -> Iterator[Fault]:
    for index, one in enumerate(members):
        place, params = f"members[{index}]", {"system": one.system, "site": one.site}
        if one.site not in facts.sites:
            yield Fault(f"{place}.site", "unknown_site", "there is no site '{site}'", params)
        if one.system not in facts.systems:
            yield Fault(f"{place}.system", "unknown_system", "there is no system '{system}'", params)
            continue
        if facts.systems[one.system].is_classified:
            template = "the system {system} is classified: nothing of it is ever copied"
            yield Fault(f"{place}.system", "system_classified", template, params)
        elif one.system in facts.retired:
            template = "the system {system} is no longer in the register"
            yield Fault(f"{place}.system", "system_retired", template, params)
        known = facts.members.get(one, MemberFacts())
        if known.policy is not None and known.policy != form.name:
            other = {**params, "policy": known.policy}
            template, hint = "is backed up by the policy {policy} already", "take it out there first"
            yield Fault(place, "taken", template, other, hint)
        if known.other_system is not None:
            template = "the bucket {name} at {site} is backed up as one of the system {other} already"
            named = {"name": one.name, "site": one.site, "other": known.other_system}
            yield Fault(place, "taken", template, named, "take it out there first")
        if not known.is_volume_known:
            template = "the system {system} has no volume '{name}' at {site}"
            yield Fault(f"{place}.name", "unknown_volume", template, {**params, "name": one.name})
        yield from _bucket(place, one, known)


def _bucket(place: str, one: MemberForm, known: MemberFacts) -> Iterator[Fault]:
    """What was seen of a bucket when it was looked at."""
    params = {"name": one.name, "site": one.site}
    if known.bucket == BucketLook.MISSING:
        yield Fault(f"{place}.name", "unknown_bucket", "there is no bucket '{name}' at {site}", params)
    elif known.bucket == BucketLook.UNVERSIONED:
        template = "the bucket '{name}' at {site} keeps no versions"
        yield Fault(f"{place}.name", "no_versions", template, params, "switch versioning on for the bucket")


def _vaults(form: PolicyForm, expected: Forecast, facts: Facts) -> Iterator[Fault]:
    for site in form.vaults:
        vault, params = facts.vaults.get(site), {"site": site}
        if site not in facts.sites:
            yield Fault("vaults", "unknown_site", "there is no site '{site}'", params)
        elif vault is None:
            hint = "run: cloudctl vault check {site}"
            yield Fault("vaults", "no_vault", "the site {site} has no vault that was checked", params, hint)
        elif (free := vault.free_bytes) is not None:
            needed = expected.demanded_bytes - facts.stored_bytes.get(site, 0)
            if needed > free:
                room = {**params, "needed": _gib(needed), "free": _gib(free)}
                template = "the vault of {site} has room for {free} GiB more, the policy needs {needed} GiB"
                yield Fault("vaults", "no_room", template, room)


def _vault_notes(form: PolicyForm, facts: Facts) -> Iterator[Fault]:
    for site in form.vaults:
        vault = facts.vaults.get(site)
        if vault is not None and vault.lock_mode != "compliance":
            template = "the vault of {site} has no lock that nobody can lift ({mode}): copies can be deleted"
            yield Fault("vaults", "no_lock", template, {"site": site, "mode": vault.lock_mode})
        if vault is not None and vault.state != "ready":
            template = "the vault of {site} is {state}"
            yield Fault("vaults", "vault_not_ready", template, {"site": site, "state": vault.state})


def _member_notes(form: PolicyForm, members: Sequence[MemberForm], facts: Facts) -> Iterator[Fault]:
    for index, one in enumerate(members):
        known, place = facts.members.get(one, MemberFacts()), f"members[{index}]"
        params: dict[str, object] = {"system": one.system, "site": one.site}
        if one.system not in facts.systems:
            continue
        if one.kind == BUCKET:
            yield from _bucket_notes(place, one, known)
            continue
        if not known.volume_bytes and known.is_volume_known:
            template = "the system {system} has no volumes at {site}: there is nothing to back up yet"
            yield Fault(place, "no_volumes", template, params)
        has_checks = known.has_checks if one.checks is None else bool(one.checks)
        if reaches(form.level, "L4") and not has_checks:
            template = (
                "points of {system} can be proved to L3 only: no checks say what its application answers"
            )
            yield Fault(f"{place}.checks", "no_checks", template, params, "give the member checks")
        wanted = demanded(facts.systems[one.system])
        if wanted > form.tier.number:
            template = "the system {system} has to have T{wanted}; {tier} does not count for it"
            yield Fault(place, "tier_too_low", template, {**params, "wanted": wanted, "tier": form.tier.name})


def _bucket_notes(place: str, one: MemberForm, known: MemberFacts) -> Iterator[Fault]:
    named = {"name": one.name, "site": one.site}
    if known.bucket == BucketLook.UNREACHABLE:
        template = "the bucket '{name}' at {site} could not be looked at"
        yield Fault(place, "bucket_not_seen", template, named)
    if not known.volume_bytes:
        template = (
            "how much is in the bucket '{name}' is known after its first point: no room is kept for it yet"
        )
        yield Fault(place, "size_unknown", template, named)


def _line(form: PolicyForm, grid: Grid, expected: Forecast) -> Iterator[Fault]:
    for code, size, template in (
        (
            "increments_do_not_fit",
            expected.increment_bytes,
            "the line takes {needed} for what changes between two points, and there are {given}",
        ),
        (
            "full_does_not_fit",
            expected.full_bytes,
            "the line takes {needed} for full points, and there are {given}: they end after the window",
        ),
    ):
        found = fit(grid, size, form.line_mbit)
        if not found.is_fitting:
            params = {"needed": _hours(found.needed_s), "given": _hours(found.given_s)}
            yield Fault("window", code, template, params)
            return


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f}"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.1f} h"
