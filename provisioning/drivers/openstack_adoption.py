"""Images of the storage as volumes of a project, over Cinder's REST API.

Cinder lets only an administrator do that, and the volume belongs to the project of the token: so cloudctl's
own user becomes `admin` in the project too, before the first one. Cinder is told which of its services shall
look: the pool of the type, as the schedulers know it.
"""

import threading

from cloudctl.errors import CloudForbidden, CloudNotFound, CloudRejected
from cloudctl.ports import NewAdoption, Volume
from provisioning.drivers import openstack_json as parse
from provisioning.drivers.openstack_auth import ProjectAuth
from provisioning.drivers.openstack_errors import as_busy
from provisioning.drivers.openstack_http import Caller, Json, Line
from provisioning.drivers.openstack_listing import SiteFacts
from provisioning.drivers.openstack_rights import token_of

_VOLUMES = "block-storage"
_ADMIN = "admin"


class Administration:
    """The administrator's way into projects, opened for those that need it."""

    def __init__(self, line: Line, caller: Caller, facts: SiteFacts) -> None:
        self._line = line
        self._call = caller
        self._facts = facts
        self._inside: dict[str, Caller] = {}
        self._lock = threading.Lock()

    def of(self, project_id: str) -> Caller:
        """Calls with the role inside the project; again gives the same."""
        with self._lock:
            if project_id not in self._inside:
                role_id = self._facts.roles().get(_ADMIN)
                if role_id is None:
                    raise CloudForbidden(
                        "{site}: the cloud has no role {role}; adopting volumes needs it",
                        site=self._call.site, role=_ADMIN,
                    )  # fmt: skip
                user_id = token_of(self._call).user_id
                path = f"/projects/{project_id}/users/{user_id}/roles/{role_id}"
                self._call.put("identity", path, f"let cloudctl adopt volumes in project {project_id}")
                # A token of its own: one that was got before has not got the role.
                auth = ProjectAuth(self._line.auth, project_id)
                self._inside[project_id] = Caller(self._line, auth, project_id)
            return self._inside[project_id]


class OpenStackAdoption:
    """Implements AdoptionInProject."""

    _call: Caller
    _administration: Administration

    def adopt_volume(self, new: NewAdoption) -> Volume:
        call = self._administration.of(self._call.project_id or "")
        body: Json = {
            "host": _pool_of(call, new.type),
            "ref": {"source-name": new.image},
            "name": new.name,
            "volume_type": new.type,
            "metadata": {**new.tags},
            "bootable": new.is_bootable,
        }
        answer = call.post(_VOLUMES, "/manageable_volumes", f"adopt image {new.image}", {"volume": body})
        return parse.volume(answer["volume"], self._call.project_id or "")

    def release_volume(self, volume_id: str) -> None:
        call = self._administration.of(self._call.project_id or "")
        what = f"release volume {volume_id}"
        path = f"/volumes/{volume_id}/action"
        response = call.respond(_VOLUMES, "POST", path, what, body={"os-unmanage": {}})
        if response.status_code == 400:  # "Invalid volume: Volume status must be available or error ..."
            raise as_busy(call.error(response, _VOLUMES, what))
        if response.status_code >= 400:
            error = call.error(response, _VOLUMES, what)
            if not isinstance(error, CloudNotFound):
                raise error


def _pool_of(call: Caller, kind: str) -> str:
    """The service and pool by which a volume of the type would be made: `host@backend#pool`.

    Found here by the name of the backend: Cinder's own filter by type answers 400 in release 29.
    """
    what = f"find the pool of type {kind}"
    types = call.get(_VOLUMES, "/types", what, {"is_public": "None"})["volume_types"]
    specs = next((one.get("extra_specs") or {} for one in types if kind in {one["name"], one["id"]}), None)
    rows = call.get(_VOLUMES, "/scheduler-stats/get_pools", what, {"detail": "true"}).get("pools") or ()
    backend = (specs or {}).get("volume_backend_name")
    names = [
        str(row["name"])
        for row in rows
        if backend in {None, (row.get("capabilities") or {}).get("volume_backend_name")}
    ]
    if specs is None or not names:
        raise CloudRejected("{site}: no pool takes volumes of type {kind}", site=call.site, kind=kind)
    return min(names)
