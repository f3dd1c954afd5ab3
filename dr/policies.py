"""Policies: kept as a document says, suspended, resumed, retired; checked whole before a row is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import Clock
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, WrongState
from cloudctl.models import BackupPolicy, PolicyMember
from cloudctl.store import UnitOfWork
from dr import policy_form
from dr.buckets.looking import Look, nothing_seen
from dr.policy_check import BucketLook, Checked, check
from dr.policy_facts import HUB_ROLE, facts_of, members_of, promises, role_of
from dr.policy_form import BUCKET, MemberForm, PolicyForm
from dr.schedule import Grid, Window

Json = dict[str, Any]
SUBJECT = "backup_policy"
ACTIVE, SUSPENDED, RETIRED = "active", "suspended", "retired"
_MOST = 200
_MOST_REASON = 500


def apply(
    core: Core,
    actor: Actor,
    documents: Sequence[Mapping[str, Any]],
    is_dry_run: bool = False,
    look: Look = nothing_seen,
) -> list[Json]:
    """Make policies say what the documents say; again changes nothing. One row for each, with warnings.

    A policy is known by its name; members that a document does not name leave it, and keep the points they
    have. BadInput with all faults of all documents. Needs backup.plan at the site of every member, and where
    a vault is that is not the province's. `look` is asked about buckets first, for who may plan there.
    """
    forms = _read(documents)
    named = [one for form in forms for one in form.members or () if one.kind == BUCKET]
    looks = look([one for one in named if actor.may("backup.plan", [("site", one.site)])])
    with core.store.write() as uow:
        plans = _plans(uow, forms, looks)
        for plan in plans:
            for site in _sites_touched(uow, plan):
                actor.must("backup.plan", [("site", site)])
        _must_be_possible(plans, len(documents))
        return [_kept(core, uow, actor, plan, is_dry_run) for plan in plans]


def put(uow: UnitOfWork, clock: Clock, policy: BackupPolicy, member: MemberForm) -> PolicyMember:
    """The member in the policy, in the caller's transaction: new, back again, or there already."""
    found = uow.first(
        PolicyMember,
        PolicyMember.kind == member.kind,
        PolicyMember.system_id == member.system,
        PolicyMember.site_id == member.site,
        PolicyMember.name == member.name,
    )
    now = clock.now()
    if found is None:
        first_at = _grid(policy).window.next_opening(now)
        return uow.add(
            PolicyMember(
                policy_id=policy.id,
                kind=member.kind,
                system_id=member.system,
                site_id=member.site,
                name=member.name,
                checks=_checks(member),
                next_at=first_at,
            )
        )
    if member.checks is not None and found.checks != _checks(member):
        found.checks = _checks(member)
        uow.flush()
    if found.policy_id != policy.id or found.left_at is not None:
        found.policy_id, found.left_at = policy.id, None
        found.next_at = _grid(policy).window.next_opening(now)
        uow.flush()
    return found


def suspend(core: Core, actor: Actor, key: str, reason: str) -> None:
    """No new points until somebody resumes it; what is there stays and is proved on. The reason is kept."""
    _set_state(core, actor, key, reason, (ACTIVE,), SUSPENDED, "suspend")


def resume(core: Core, actor: Actor, key: str, reason: str = "") -> None:
    """Points are due again; what was missed is caught up with one point."""
    _set_state(core, actor, key, reason, (SUSPENDED,), ACTIVE, "resume")


def retire(core: Core, actor: Actor, key: str, reason: str) -> None:
    """No points any more, for good. Its members may join another; its points stay as long as they would."""
    _set_state(core, actor, key, reason, (ACTIVE, SUSPENDED), RETIRED, "retire")


def find(uow: UnitOfWork, key: str) -> BackupPolicy:
    """The policy of that id or name. NotFound when there is none."""
    by_id = BackupPolicy.id == int(key) if key.isdigit() and len(key) < 10 else BackupPolicy.name == key
    policy = uow.first(BackupPolicy, (BackupPolicy.name == key) | by_id)
    if policy is None:
        raise NotFound("{what} '{key}' does not exist", what="policy", key=key)
    return policy


# -- the pieces ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """A form, the policy it changes, the members it will have, and what a check says."""

    form: PolicyForm
    policy: BackupPolicy | None
    members_now: tuple[MemberForm, ...]
    members: tuple[MemberForm, ...]
    checked: Checked

    @property
    def columns(self) -> Json:
        """The row as the form wants it."""
        form = self.form
        return {
            "tier": form.tier.name,
            "every_s": form.every_s,
            "full_every": form.full_every,
            "window": dict(form.window),
            "line_mbit": form.line_mbit,
            "retention": dict(form.retention),
            "lock_s": form.lock_s,
            "vault_sites": list(form.vaults),
            "level": form.level,
            "prove_every_s": form.prove_every_s,
        }

    @property
    def changes(self) -> Json:
        """What differs from the row that is there: field -> [before, after]."""
        if self.policy is None:
            return {}
        wanted = {**self.columns, "members": sorted(map(_label, self.members))}
        now = {key: getattr(self.policy, key) for key in self.columns}
        now["members"] = sorted(map(_label, self.members_now))
        before = {one: _checks(one) for one in self.members_now}
        said = {one: before.get(one, []) if one.checks is None else _checks(one) for one in self.members}
        for words, by_member in ((now, before), (wanted, said)):
            words["checks"] = {_label(one): rows for one, rows in by_member.items() if rows}
        return {key: [now[key], value] for key, value in wanted.items() if now[key] != value}


def _plans(
    uow: UnitOfWork, forms: Sequence[PolicyForm], looks: Mapping[MemberForm, BucketLook]
) -> list[_Plan]:
    """Each form checked; what the ones before it will take of the vaults is gone for those after it."""
    there = {form.name: uow.first(BackupPolicy, BackupPolicy.name == form.name) for form in forms}
    ids = {policy.id for policy in there.values() if policy is not None}
    promised: dict[str, int] = {}
    plans = []
    for form in forms:
        policy = there[form.name]
        now = tuple(members_of(uow, policy))
        members = now if form.members is None else form.members
        facts = facts_of(uow, members, policy, ids, promised, looks)
        checked = check(form, members, facts)
        for site, size in promises(form.vaults, checked.forecast.demanded_bytes, facts.stored_bytes):
            promised[site] = promised.get(site, 0) + size
        plans.append(_Plan(form, policy, now, members, checked))
    return plans


def _read(documents: Sequence[Mapping[str, Any]]) -> list[PolicyForm]:
    faults: list[Fault] = []
    forms: list[PolicyForm] = []
    if not 0 < len(documents) <= _MOST:
        faults.append(Fault("policies", "bad_count", "from 1 to {most} policies at a time", {"most": _MOST}))
    for index, document in enumerate(documents[:_MOST]):
        form, wrong = policy_form.read(document, _place(index, len(documents)))
        faults += wrong
        if form is not None:
            if form.name in {one.name for one in forms}:
                faults.append(Fault(f"{_place(index, len(documents))}name", "twice", "is named twice"))
            forms.append(form)
    _must_be_clean(faults)
    return forms


def _must_be_possible(plans: Sequence[_Plan], count: int) -> None:
    faults = []
    for index, plan in enumerate(plans):
        place = _place(index, count)
        if plan.policy is not None and plan.policy.state == RETIRED:
            faults.append(Fault(f"{place}name", "retired", "the policy is retired; take another name"))
        faults += [
            Fault(f"{place}{one.place}", one.code, one.template, one.params, one.hint)
            for one in plan.checked.faults
        ]
    _must_be_clean(faults)


def _must_be_clean(faults: Iterable[Fault]) -> None:
    found = list(faults)
    if found:
        raise BadInput("the policy has {count} faults", faults=found, count=len(found))


def _place(index: int, count: int) -> str:
    return f"policies[{index}]." if count > 1 else ""


def _kept(core: Core, uow: UnitOfWork, actor: Actor, plan: _Plan, is_dry_run: bool) -> Json:
    changes = plan.changes
    state = "new" if plan.policy is None else "changed" if changes else "same"
    policy_id = plan.policy.id if plan.policy else None
    if not is_dry_run and state != "same":
        policy_id = _write(core, uow, actor, plan)
        details = {"changes": changes} if changes else {"members": sorted(map(_label, plan.members))}
        action = "backup.policy.change" if changes else "backup.policy.create"
        core.audit.record(uow, actor.user_id, action, SUBJECT, policy_id,
                          {"name": plan.form.name, **plan.columns, **details}, actor.trace_id)  # fmt: skip
    return {
        "id": policy_id,
        "name": plan.form.name,
        "state": state,
        "changes": changes,
        "forecast_bytes": plan.checked.forecast.demanded_bytes,
        "warnings": [_warning(one) for one in plan.checked.warnings],
    }


def _write(core: Core, uow: UnitOfWork, actor: Actor, plan: _Plan) -> int:
    now, policy = core.clock.now(), plan.policy
    if policy is None:
        policy = uow.add(
            BackupPolicy(name=plan.form.name, created_at=now, created_by=actor.user_id, **plan.columns)
        )
    else:
        is_other_grid = (policy.every_s, policy.window) != (plan.form.every_s, dict(plan.form.window))
        for key, value in plan.columns.items():
            setattr(policy, key, value)
        policy.changed_at = now
        uow.flush()
        if is_other_grid:
            mine = (PolicyMember.policy_id == policy.id, PolicyMember.next_at > now)
            uow.update(PolicyMember, *mine, next_at=_grid(policy).after(now))
    policy_id = policy.id
    for member in plan.members:
        put(uow, core.clock, policy, member)
    for member in set(plan.members_now) - set(plan.members):
        _take_out(core, uow, policy_id, member)
    return policy_id


def _take_out(core: Core, uow: UnitOfWork, policy_id: int, member: MemberForm) -> None:
    uow.update(
        PolicyMember,
        PolicyMember.policy_id == policy_id,
        PolicyMember.kind == member.kind,
        PolicyMember.system_id == member.system,
        PolicyMember.site_id == member.site,
        PolicyMember.name == member.name,
        left_at=core.clock.now(),
    )


def _set_state(
    core: Core, actor: Actor, key: str, reason: str, sources: Sequence[str], target: str, verb: str
) -> None:
    with core.store.write() as uow:
        policy = find(uow, key)
        for site in {one.site for one in members_of(uow, policy)}:
            actor.must("backup.plan", [("site", site)])
        if not members_of(uow, policy):
            actor.must("backup.plan")
        said = reason.strip()
        if (verb != "resume" and not said) or len(said) > _MOST_REASON:
            template = "say why, in at most {most} characters"
            raise BadInput("the input has faults",
                           faults=[Fault("reason", "missing", template, {"most": _MOST_REASON})])  # fmt: skip
        policy_id, name, state = policy.id, policy.name, policy.state
        mine = (BackupPolicy.id == policy_id, BackupPolicy.state.in_(sources))
        if not uow.update(BackupPolicy, *mine, state=target, changed_at=core.clock.now()):
            raise WrongState("the policy {name} is {state}", name=name, state=state)
        if target == RETIRED:
            living = (PolicyMember.policy_id == policy_id, PolicyMember.left_at.is_(None))
            uow.update(PolicyMember, *living, left_at=core.clock.now())
        details = {"name": name, "reason": said}
        core.audit.record(
            uow, actor.user_id, f"backup.policy.{verb}", SUBJECT, policy_id, details, actor.trace_id
        )


def _sites_touched(uow: UnitOfWork, plan: _Plan) -> set[str]:
    """Where the right is asked for: at the data's sites, and where room is taken that is not the hub's."""
    sites = {one.site for one in (*plan.members, *plan.members_now)}
    sites |= {site for site in plan.form.vaults if role_of(uow, site) not in (None, HUB_ROLE)}
    return sites or {"*"}


def _grid(policy: BackupPolicy) -> Grid:
    return Grid(policy.every_s, Window.read(policy.window))


def _checks(member: MemberForm) -> list[Json]:
    return [one.as_json() for one in member.checks or ()]


def _label(member: MemberForm) -> str:
    what = "" if not member.name else f":{member.name}" if member.kind == BUCKET else f"/{member.name}"
    return f"{member.system}{what}@{member.site}"


def _warning(fault: Fault) -> Json:
    return {"place": fault.place, "code": fault.code, "template": fault.template, "params": fault.params}
