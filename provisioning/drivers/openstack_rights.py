"""Which rights cloudctl needs at a site, why, and whether it has them; found out by reading only."""

from collections.abc import Callable
from dataclasses import dataclass

from keystoneauth1.access.access import AccessInfo

from cloudctl.errors import CloudctlError, CloudForbidden, CloudNotFound
from cloudctl.ports import Right
from provisioning.drivers.openstack_auth import is_application_credential
from provisioning.drivers.openstack_errors import translated
from provisioning.drivers.openstack_http import Caller, Params

OBSERVE, MANAGE, BACKUP, RECOVER = "observe", "manage", "backup", "recover"
_ADMIN = frozenset({"admin"})
_NO_PROJECT = "0" * 32  # nobody's: what the service answers for it shows the right, not the project


@dataclass(frozen=True)
class _Need:
    """One right. With a `probe` it is tried by reading; without, it follows from the roles of the token.

    A listing over all projects is not refused by Cinder and Neutron, only shortened: there too the
    roles decide.
    """

    name: str
    why: str
    needed_for: str
    roles: frozenset[str] = _ADMIN
    probe: tuple[str, str, Params] | None = None


def _tried(name: str, why: str, needed_for: str, where: str, /, **params: str) -> _Need:
    service, path = where.split(" ")
    return _Need(name, why, needed_for, probe=(service, path, params))


_MAP = "to map the catalogue and the zones"
_COMPARE = "to compare quotas"
_PUSH = "to push quotas"
_ZERO = "to set default quotas to zero"
_QUOTA = "/os-quota-sets/" + _NO_PROJECT
_MANAGER = frozenset({"admin", "manager"})
_ANYBODY = frozenset({"admin", "manager", "member", "_member_", "Member"})
_ADOPT = "to make the copy of a replicated volume a volume of the recovery site"
_CUT = "to keep the servers of a lost site from writing, and to give them back"
_PROVE = "to start what was restored where nothing leads in or out"

_NEEDS = (
    _tried("identity:list_projects", "to find and bind projects", OBSERVE, "identity /projects", name="-"),
    _tried("identity:list_domains", "to find a department's domain", OBSERVE, "identity /domains", name="-"),
    _tried(
        "compute:list_all_servers",
        "to see all servers",
        OBSERVE,
        "compute /servers",
        all_tenants="1",
        limit="1",
    ),
    _Need("volume:list_all_volumes", "to see all volumes", OBSERVE),
    _Need("network:list_all_ports", "to see all ports", OBSERVE),
    _tried("compute:show_quota", _COMPARE, OBSERVE, "compute /os-quota-class-sets/default"),
    _tried("volume:show_quota", _COMPARE, OBSERVE, "block-storage " + _QUOTA),
    _tried("network:show_quota", _COMPARE, OBSERVE, "network /quotas/" + _NO_PROJECT),
    _tried("compute:list_flavors", _MAP, OBSERVE, "compute /flavors", limit="1"),
    _tried("image:list_images", _MAP, OBSERVE, "image /images", limit="1"),
    _tried("volume:list_types", _MAP, OBSERVE, "block-storage /types", limit="1"),
    _tried("network:list_networks", _MAP, OBSERVE, "network /networks", limit="1"),
    _tried("identity:list_roles", "to find the role of a member", MANAGE, "identity /roles", name="member"),
    _Need("identity:create_domain", "to make the domain of a department", MANAGE),
    _Need("identity:create_project", "to make projects", MANAGE, _MANAGER),
    _Need("identity:delete_project", "to undo a project that was not finished", MANAGE, _MANAGER),
    _Need("identity:create_grant", "to give cloudctl access to a project", MANAGE, _MANAGER),
    _Need("compute:update_quota", _PUSH, MANAGE),
    _Need("volume:update_quota", _PUSH, MANAGE),
    _Need("network:update_quota", _PUSH, MANAGE),
    _Need("compute:update_quota_class", _ZERO, MANAGE),
    _Need("volume:update_quota_class", _ZERO, MANAGE),
    _tried(
        "volume:list_services",
        "to see whether the backup service is up",
        BACKUP,
        "block-storage /os-services",
        binary="cinder-backup",
    ),
    _Need("backup:export-import", "to make the backups of one site known at another", BACKUP),
    _Need("volume_extension:backup_admin_actions:reset_status", "to set free a backup that hangs", BACKUP),
    _Need("network:create_network", _PROVE, BACKUP, _ANYBODY),
    _Need("network:update_quota:network", "to open room for the isolated network of a proof", BACKUP),
    _Need("volume_extension:volume_manage", _ADOPT, RECOVER),
    _Need("volume_extension:volume_unmanage", "to release what goes on at another site", RECOVER),
    _Need("scheduler_extension:scheduler_stats:get_pools", "to find the pool of a volume type", RECOVER),
    _Need("compute:stop", _CUT, RECOVER, _ANYBODY),
    _Need("network:update_port", _CUT, RECOVER, _ANYBODY),
    _Need("compute:console_output", "to read what was seen inside an isolated network", BACKUP, _ANYBODY),
)
_RESCOPE = "identity:token_for_project"


def token_of(call: Caller) -> AccessInfo:
    """The token in use: user, roles, scope."""
    with translated(call.site, "identity", "give a token"):
        return call.auth.get_access(call.line.session)


def rights(call: Caller) -> list[Right]:
    """Every right needed, in the order of _NEEDS, then the one to work inside projects. Changes nothing."""
    token = token_of(call)
    roles = frozenset(token.role_names or ())
    can_rescope = not is_application_credential(call.auth)
    return [*(_judge(call, need, roles) for need in _NEEDS), _rescope(can_rescope)]


def _judge(call: Caller, need: _Need, roles: frozenset[str]) -> Right:
    if need.probe is None:
        return _derived(need, roles)
    service, path, params = need.probe
    is_held, detail = _try(lambda: call.get(service, path, need.name, params))
    return Right(need.name, need.why, is_held, need.needed_for, detail)


def _derived(need: _Need, roles: frozenset[str]) -> Right:
    """Trying it would change something (or not tell): the roles of the token decide."""
    held = need.roles & roles
    wanted = " or ".join(sorted(need.roles))
    has = ", ".join(sorted(roles)) or "-"
    detail = f"derived: role {min(held)}" if held else f"derived: needs role {wanted}, the token has {has}"
    return Right(need.name, need.why, bool(held), need.needed_for, detail)


def _rescope(can_rescope: bool) -> Right:
    detail = (
        "" if can_rescope else "an application credential is for one project only: observe, or use a password"
    )
    return Right(_RESCOPE, "to work inside the projects it makes", can_rescope, MANAGE, detail)


def _try(call: Callable[[], object]) -> tuple[bool, str]:
    """Whether the call is allowed. A service that does not answer leaves the right open, and says so."""
    try:
        call()
    except CloudNotFound:
        return True, ""  # allowed to look, and nothing is there
    except CloudForbidden as error:
        return False, error.text()
    except CloudctlError as error:
        return error.params.get("status") == 400, error.text()  # a 400 is about the words, not the right
    return True, ""
