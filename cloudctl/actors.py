"""Who acts, and what a role lets somebody do where. Pure: grants and paths come in as values.

A path names the scopes something lies in, from the narrowest: department, divisions upward, site,
installation. A grant holds when its scope is on the path.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cloudctl.errors import NotAllowed

Scope = tuple[str, str]  # ("department", "gx-finance"), ("division", "450100"), ("site", "city-1")
INSTALLATION: Scope = ("installation", "*")


class Role(StrEnum):
    """What a person is for. Stored: never rename one without a migration."""

    REQUESTER = "requester"  # asks for a department
    DEPARTMENT_APPROVER = "department_approver"  # answers for the department
    DIVISION_REVIEWER = "division_reviewer"  # county or city bureau that looks first
    CLOUD_ADMIN = "cloud_admin"  # of a site
    PROVINCE_ADMIN = "province_admin"  # topology, quotas, all sites
    SYSTEM_ADMIN = "system_admin"  # users and roles, nothing of the business
    DR_OFFICER = "dr_officer"  # on duty for disaster recovery: drills, and asks for moves
    AUDITOR = "auditor"  # reads everything, changes nothing


_R, _DA, _DR, _CA, _PA, _SA, _DO, _AU = (
    Role.REQUESTER,
    Role.DEPARTMENT_APPROVER,
    Role.DIVISION_REVIEWER,
    Role.CLOUD_ADMIN,
    Role.PROVINCE_ADMIN,
    Role.SYSTEM_ADMIN,
    Role.DR_OFFICER,
    Role.AUDITOR,
)

RIGHTS: dict[str, frozenset[Role]] = {
    "request.create": frozenset({_R}),
    "request.cancel": frozenset({_R, _CA, _PA}),
    "request.see": frozenset({_R, _DA, _DR, _CA, _PA, _AU}),
    "resource.see": frozenset({_R, _DA, _DR, _CA, _PA, _AU}),
    "resource.adopt": frozenset({_CA, _PA}),
    "operation.see": frozenset({_R, _DA, _DR, _CA, _PA, _DO, _AU}),
    "operation.retry": frozenset({_CA, _PA}),
    "quota.see": frozenset({_R, _DA, _DR, _CA, _PA, _AU}),
    "quota.set": frozenset({_PA}),
    "quota.repair": frozenset({_PA}),
    "topology.see": frozenset({_DR, _CA, _PA, _AU}),
    "topology.apply": frozenset({_PA}),
    "site.see": frozenset({_R, _DA, _DR, _CA, _PA, _DO, _AU}),
    "site.connect": frozenset({_CA, _PA}),
    "site.sync": frozenset({_CA, _PA}),
    "department.see": frozenset({_R, _DA, _DR, _CA, _PA, _DO, _AU, _SA}),
    "system.see": frozenset({_R, _DA, _DR, _CA, _PA, _DO, _AU}),
    "system.change": frozenset({_DA, _DR, _PA}),  # of one's own department or division
    "migration.see": frozenset({_R, _DA, _DR, _CA, _PA, _AU}),  # figures; lists of systems follow system.see
    "migration.move": frozenset({_DA, _DR, _CA, _PA}),  # a stage; the table of stages says who may which
    "migration.exempt": frozenset({_DA, _DR, _PA}),  # ask for it
    "migration.decide": frozenset({_PA}),  # an exemption somebody else has asked for
    "migration.plan": frozenset({_DR, _CA, _PA}),  # waves
    "migration.target": frozenset({_DR, _PA}),
    "migration.count": frozenset({_PA}),  # rules of counting, frozen figures
    "migration.certify": frozenset({_DA, _DR, _CA, _PA}),
    "backup.see": frozenset({_R, _DA, _DR, _CA, _PA, _DO, _AU}),
    "backup.plan": frozenset({_CA, _PA}),  # policies
    "backup.run": frozenset({_DA, _CA, _PA}),  # a point now, of one's own department or site
    "backup.prove": frozenset({_DA, _CA, _PA}),
    "backup.restore": frozenset({_CA, _PA}),  # over what is there: a second person decides
    "backup.expire": frozenset({_PA}),
    "database.see": frozenset({_CA, _PA, _AU}),  # copies of the own database
    "database.back_up": frozenset({_PA}),
    "database.confirm": frozenset({_CA, _PA}),  # that it may act again; two people, each for the whole
    "dr.see": frozenset({_DA, _DR, _CA, _PA, _DO, _AU}),
    "dr.plan": frozenset({_CA, _PA}),
    "dr.drill": frozenset({_CA, _PA, _DO}),  # rehearse: touches nothing that runs
    "dr.run": frozenset({_CA, _PA, _DO}),  # ask for a move of what runs, or of its people
    "dr.approve": frozenset({_DA, _CA, _PA}),  # a move that somebody else asked for
    "user.see": frozenset({_SA, _AU}),
    "user.change": frozenset({_SA}),
    "audit.see": frozenset({_AU, _PA}),
}


@dataclass(frozen=True)
class Grant:
    """A role held at a scope."""

    role: Role
    scope: Scope


@dataclass(frozen=True)
class Actor:
    """Somebody who is signed in, or `system` itself."""

    user_id: str
    name: str
    department_id: str | None = None
    grants: frozenset[Grant] = frozenset()
    trace_id: str | None = None

    def has(self, role: Role, path: Iterable[Scope]) -> bool:
        """Whether the role is held at one of the scopes of the path."""
        return any(Grant(role, scope) in self.grants for scope in (*path, INSTALLATION))

    def may(self, right: str, path: Iterable[Scope] = ()) -> bool:
        """Whether any role held on the path carries the right."""
        where = tuple(path)
        return any(self.has(role, where) for role in RIGHTS[right])

    def must(self, right: str, path: Iterable[Scope] = ()) -> None:
        """NotAllowed unless `may`."""
        if not self.may(right, path):
            roles = ", ".join(sorted(role.value for role in RIGHTS[right]))
            raise NotAllowed("{user} may not do this here: {right} needs one of {roles}",
                             user=self.user_id, right=right, roles=roles)  # fmt: skip

    def scopes(self, right: str) -> frozenset[Scope]:
        """All scopes where the right is held, for filtering lists."""
        return frozenset(grant.scope for grant in self.grants if grant.role in RIGHTS[right])


SYSTEM = Actor("system", "cloudctl")
