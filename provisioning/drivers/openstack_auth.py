"""Signing in: an entry of clouds.yaml as a region, and tokens for a project out of cloudctl's own."""

import warnings
from pathlib import Path

from keystoneauth1 import exceptions as ka
from keystoneauth1 import plugin
from keystoneauth1.access.access import AccessInfoV3
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.exceptions import ConfigException
from openstack.warnings import RemovedInSDK60Warning

from cloudctl.errors import Fault, Misconfigured

# openstacksdk says at each region that its support for InfluxDB, unasked for here, will go.
warnings.filterwarnings("ignore", category=RemovedInSDK60Warning)

_RESERVED = {"", "envvars", "defaults"}


def region_of(entry: str, clouds_file: Path | None) -> CloudRegion:
    """The entry of clouds.yaml, checked. Misconfigured says what is wrong with it.

    Only the file counts, never the OS_* variables of whoever started the process: one site must not be
    signed in to with the environment of another.
    """
    files = [str(clouds_file)] if clouds_file else None
    place = str(clouds_file or "clouds.yaml")
    try:
        config = OpenStackConfig(config_files=files, load_envvars=False, app_name="cloudctl")
        known = sorted(set(config.get_cloud_names()) - _RESERVED)
        if entry not in known:
            fault = Fault(
                place, "no_entry", "there is no entry '{entry}'",
                {"entry": entry, "known": ", ".join(known) or "-"}, "entries: {known}",
            )  # fmt: skip
            raise Misconfigured("clouds.yaml has no entry '{entry}'", faults=[fault], entry=entry)
        region = config.get_one(cloud=entry)
        _check_cacert(region, f"{place}: clouds.{entry}.cacert")
        return region
    except (ConfigException, ka.ClientException, OSError, ValueError) as error:
        fault = Fault(f"{place}: clouds.{entry}", "bad_entry", "{error}", {"error": str(error)})
        raise Misconfigured("the entry '{entry}' cannot be used", faults=[fault], entry=entry) from error


def _check_cacert(region: CloudRegion, place: str) -> None:
    """A missing file would otherwise show only as a broken connection."""
    verify, _cert = region.get_requests_verify_args()
    if isinstance(verify, str) and not Path(verify).exists():
        fault = Fault(place, "no_file", "the file {file} does not exist", {"file": verify})
        raise Misconfigured("the CA of the cloud cannot be read", faults=[fault])


def entries(clouds_file: Path | None) -> list[str]:
    """The names in clouds.yaml; empty when it cannot be read."""
    try:
        files = [str(clouds_file)] if clouds_file else None
        config = OpenStackConfig(config_files=files, load_envvars=False)
    except (ConfigException, OSError, ValueError):
        return []
    return sorted(set(config.get_cloud_names()) - _RESERVED)


def is_application_credential(auth: plugin.BaseAuthPlugin) -> bool:
    """An application credential is for one project for good: Keystone gives no token of another for it."""
    methods = getattr(auth, "auth_methods", ())
    return any(isinstance(method, v3.ApplicationCredentialMethod) for method in methods)


class ProjectAuth(v3.Token):
    """Tokens for one project, got with cloudctl's own token.

    They come without the catalogue, which is the same for all: smaller here, less work for Keystone.
    Works for whatever the entry signs in with (password, OIDC, two factors), and spares Keystone the
    slow check of the password. A Keystone that forbids this (`allow_rescope_scoped_token = false`)
    gets the password, for the project.
    """

    def __init__(self, own: BaseIdentityPlugin, project_id: str) -> None:
        super().__init__(own.auth_url or "", token="", project_id=project_id, include_catalog=False)
        self._own = own
        self._with_password: v3.Password | None = None

    def get_auth_ref(self, session: Session) -> AccessInfoV3:
        if self._with_password is not None:
            return self._with_password.get_auth_ref(session)
        self._take_own_token(session)
        try:
            return super().get_auth_ref(session)
        except ka.Forbidden:
            self._with_password = _password_for(self._own, self.project_id)
            if self._with_password is None:
                raise
            return self._with_password.get_auth_ref(session)
        except ka.Unauthorized:  # cloudctl's own token was revoked meanwhile: once more with a new one
            self._own.invalidate()
            self._take_own_token(session)
            return super().get_auth_ref(session)

    def _take_own_token(self, session: Session) -> None:
        self.auth_methods = [v3.TokenMethod(token=self._own.get_token(session) or "")]
        self.auth_url = _url_of(self._own)

    def invalidate(self) -> bool:
        self._own.invalidate()
        return bool(super().invalidate())


def _url_of(own: BaseIdentityPlugin) -> str:
    """Where Keystone's version 3 gives tokens; known once the own token is there."""
    inner = getattr(own, "_plugin", None) or own  # the generic plugin wraps the one of Keystone's version
    return str(inner.auth_url or own.auth_url or "")


def _password_for(own: BaseIdentityPlugin, project_id: str | None) -> v3.Password | None:
    """The same password for another project; None when the entry signs in some other way."""
    inner = getattr(own, "_plugin", None) or own
    methods = [m for m in getattr(inner, "auth_methods", ()) if isinstance(m, v3.PasswordMethod)]
    if not methods:
        return None
    method = methods[0]
    return v3.Password(
        _url_of(own),
        password=method.password,
        user_id=method.user_id,
        username=method.username,
        user_domain_id=method.user_domain_id,
        user_domain_name=method.user_domain_name,
        include_catalog=False,
        project_id=project_id,
    )
