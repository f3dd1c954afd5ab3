"""The cloud as a drill sees it: whatever is not the drill's own can be looked at and never changed.

The fence knows each change by name and what its arguments have to be; a change it does not know is refused.
So a mistake in a flow, or a port that grows, ends in `Fenced` and never at production.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from cloudctl.errors import CloudNotFound, Fenced
from cloudctl.ports import (
    TAG_INSTALLATION,
    BackupRecord,
    Cloud,
    CloudInProject,
    Clouds,
    NewAdoption,
    Tags,
)
from dr.isolated.ground import Plot
from dr.marks import TAG_DRILL, TAG_RESTORE
from dr.points.cinder_record import read_record

DOMAIN = "cloudctl-drills"
_DESCRIPTION = "made by cloudctl to rehearse protection plans; empty between drills"
_READING = ("list_", "get_", "find_")
_ALSO_READING = frozenset(
    {"site", "rights", "inspect", "usage", "capacity", "backup_services", "export_backup", "console_output",
     "api_addresses"}
)  # fmt: skip
_DELETING = {
    "delete_server": "server",
    "delete_volume": "volume",
    "delete_port": "port",
    "delete_network": "network",
    "delete_security_group": "group",
    "delete_snapshot": "snapshot",
    "delete_backup": "backup",
}


@dataclass(frozen=True)
class Marks:
    """By what the things of one drill are known: its own tag, or that of a restore it began."""

    installation: str
    drill: int
    restores: frozenset[int] = frozenset()

    def are_on(self, tags: Mapping[str, Any]) -> bool:
        """Whether a thing with these tags is the drill's."""
        if tags.get(TAG_INSTALLATION) != self.installation:
            return False
        is_own = tags.get(TAG_DRILL) == str(self.drill)
        return is_own or tags.get(TAG_RESTORE) in {str(one) for one in self.restores}

    @property
    def labels(self) -> frozenset[str]:
        """The tags of the drill's project."""
        return frozenset({f"{TAG_INSTALLATION}={self.installation}", f"{TAG_DRILL}={self.drill}"})

    @property
    def prefix(self) -> str:
        """How the name of every copy begins that the storage makes for the drill."""
        return f"drill-{self.installation[:12]}-{self.drill}-"

    @property
    def plot(self) -> Plot:
        """Where its project is."""
        return Plot(DOMAIN, self.prefix.rstrip("-"), _DESCRIPTION, self.labels)


class FencedClouds:
    """All clouds for one drill: its site is fenced, and all others can only be looked at."""

    def __init__(self, clouds: Clouds, site_id: str, marks: Marks) -> None:
        self._clouds = clouds
        self._site_id = site_id
        self._marks = marks
        self._fences: dict[str, _FencedCloud] = {}

    def at(self, site_id: str) -> Cloud:
        if site_id not in self._fences:
            marks = self._marks if site_id == self._site_id else None
            self._fences[site_id] = _FencedCloud(self._clouds.at(site_id), marks)
        return cast("Cloud", self._fences[site_id])


def fenced(cloud: Cloud, marks: Marks) -> Cloud:
    """The cloud for that drill alone."""
    return cast("Cloud", _FencedCloud(cloud, marks))


class _Fence:
    """Something that is spoken to by its methods: what reads passes, what changes is asked for first."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name.startswith(_READING) or name in _ALSO_READING:
            return found
        rule = self._rule(name)

        def change(*args: Any, **named: Any) -> Any:
            if rule is None:
                raise Fenced("a drill may not call {call}", call=name)
            if rule(*args, **named):
                return found(*args, **named)
            return None

        return change

    def _rule(self, name: str) -> Callable[..., bool] | None:
        """What decides whether a change goes on: True, False (there is nothing to be done), or Fenced."""
        raise NotImplementedError


class _FencedCloud(_Fence):
    """A whole cloud."""

    def __init__(self, cloud: Cloud, marks: Marks | None) -> None:
        super().__init__(cloud)
        self._cloud = cloud
        self._marks = marks
        self._own: dict[str, _FencedProject] = {}
        self._mine: set[str] = set()  # ids of projects that were seen to be the drill's: none changes hands

    def in_project(self, project_id: str) -> CloudInProject:
        """Seen from inside any project; only in the drill's own can anything be changed."""
        if project_id not in self._own:
            self._own[project_id] = _FencedProject(self._cloud, self, project_id)
        return cast("CloudInProject", self._own[project_id])

    def must_be_own(self, project_id: str) -> bool:
        """Fenced unless the project carries the drill's tags; False when it is gone."""
        if self._marks is not None and project_id not in self._mine:
            try:
                tags = self._cloud.get_project(project_id).tags
            except CloudNotFound:
                return False
            if self._marks.labels <= tags:
                self._mine.add(project_id)
        if project_id not in self._mine:
            raise Fenced("project {id} is not the drill's own", id=project_id)
        return True

    def must_be_tagged(self, tags: Tags, what: str) -> None:
        """Fenced unless the tags say that it is the drill's."""
        if self._marks is None or not self._marks.are_on(tags):
            raise Fenced("{what} does not carry the tag of the drill", what=what)

    def must_be_copy(self, image: str) -> None:
        """Fenced unless the name of the image says that it was made for the drill."""
        if self._marks is None or not image.startswith(self._marks.prefix):
            raise Fenced("image {name} is no copy of the drill's own", name=image)

    def _rule(self, name: str) -> Callable[..., bool] | None:
        rules: dict[str, Callable[..., bool]] = {
            "create_domain": self._may_make_domain,
            "create_project": self._may_make_project,
            "delete_project": self.must_be_own,
            "ensure_own_access": self._may_enter,
            "set_quota": lambda project_id, _limits: self._may_enter(project_id),
            "import_backup": self._may_import,
            "restore_backup": self._may_restore,
            "reset_stuck": self._may_drop_backup,
            "delete_imported": self._may_drop_backup,
        }
        return rules.get(name)

    def _may_make_domain(self, name: str, _description: str) -> bool:
        if self._marks is None or name != self._marks.plot.domain:
            raise Fenced("domain {name} is not the one of drills", name=name)
        return True

    def _may_make_project(
        self, _domain_id: str, name: str, _description: str, tags: Iterable[str]
    ) -> bool:  # fmt: skip
        if self._marks is None or not self._marks.labels <= frozenset(tags):
            raise Fenced("{what} does not carry the tag of the drill", what=name)
        return True

    def _may_enter(self, project_id: str) -> bool:
        if not self.must_be_own(project_id):
            raise Fenced("project {id} is not the drill's own", id=project_id)
        return True

    def _may_import(self, record: BackupRecord) -> bool:
        content = read_record(record.url).content
        self.must_be_tagged(content.get("metadata") or {}, f"backup {content.get('id')}")
        return True

    def _may_restore(self, backup_id: str, volume_id: str) -> bool:
        self._must_be_own_backup(backup_id)
        if not any(volume_id in self._volumes_of(project_id) for project_id in self._projects()):
            raise Fenced("volume {id} is not the drill's own", id=volume_id)
        return True

    def _may_drop_backup(self, backup_id: str) -> bool:
        inside = [one for project_id in self._projects() for one in self._backups_of(project_id)]
        return backup_id in inside or self._must_be_own_backup(backup_id)

    def _must_be_own_backup(self, backup_id: str) -> bool:
        known = {one.id: one for one in self._cloud.list_imported()}
        if backup_id not in known:
            raise Fenced("backup {id} is not the drill's own", id=backup_id)
        self.must_be_tagged(known[backup_id].tags, f"backup {backup_id}")
        return True

    def _projects(self) -> set[str]:
        """The drill's projects, the known ones first asked for."""
        if not self._mine and self._marks is not None:
            domain = self._cloud.find_domain(self._marks.plot.domain)
            found = self._cloud.list_projects(domain.id) if domain is not None else []
            self._mine |= {one.id for one in found if self._marks.labels <= one.tags}
        return self._mine

    def _volumes_of(self, project_id: str) -> set[str]:
        return {one.id for one in self._cloud.in_project(project_id).list_volumes()}

    def _backups_of(self, project_id: str) -> set[str]:
        return {one.id for one in self._cloud.in_project(project_id).list_backups()}


class _FencedProject(_Fence):
    """A cloud seen from inside one project."""

    def __init__(self, cloud: Cloud, around: _FencedCloud, project_id: str) -> None:
        inside = cloud.in_project(project_id)
        super().__init__(inside)
        self._cloud = cloud
        self._around = around
        self._id = project_id
        self._seen: set[str] = set()  # ids that were found in the project; none is given twice
        self._lists: Mapping[str, Callable[[], Iterable[Any]]] = {
            "server": inside.list_servers,
            "volume": inside.list_volumes,
            "port": inside.list_ports,
            "network": inside.list_own_networks,
            "group": inside.list_security_groups,
            "snapshot": inside.list_snapshots,
            "backup": inside.list_backups,
        }

    def _rule(self, name: str) -> Callable[..., bool] | None:
        if name in _DELETING:
            return partial(self._may_delete, _DELETING[name])
        rules: dict[str, Callable[..., bool]] = {
            "ensure_isolated_network": self._may_make,
            "create_volume": self._may_make,
            "create_port": lambda new: self._may_make(
                new, network=[new.network_id], group=new.security_group_ids
            ),
            "create_server": lambda new: self._may_make(
                new, volume=[new.boot_volume_id, *new.data_volume_ids], port=new.port_ids
            ),
            "create_snapshot": lambda new: self._may_make(new, volume=[new.volume_id]),
            "create_backup": lambda new: self._may_make(new, volume=[new.volume_id]),
            "ensure_security_group": lambda *_given: self._must_be_here(),
            "tag_port": partial(self._may_tag, "port"),
            "tag_volume": partial(self._may_tag, "volume"),
            "make_bootable": lambda volume_id: self._must_have("volume", [volume_id]),
            "rename_volume": lambda volume_id, _name: self._must_have("volume", [volume_id]),
            "adopt_volume": self._may_adopt,
            "release_volume": partial(self._may_delete, "volume"),
            "stop_server": lambda server_id: self._must_have("server", [server_id]),
            "start_server": lambda server_id: self._must_have("server", [server_id]),
            "set_port_up": lambda port_id, *, is_up: self._must_have("port", [port_id]),
            "attach_volume": self._may_join,
            "detach_volume": self._may_join,
        }
        return rules.get(name)

    def _must_be_here(self) -> bool:
        if not self._around.must_be_own(self._id):
            raise CloudNotFound("project {id} not found", id=self._id)
        return True

    def _may_make(self, new: Any, **uses: Iterable[str]) -> bool:
        """The new thing carries the tag, and what it is made of is the drill's own."""
        self._must_be_here()
        self._around.must_be_tagged(new.tags, new.name)
        return all(self._must_have(kind, ids) for kind, ids in uses.items())

    def _may_tag(self, kind: str, one_id: str, tags: Tags) -> bool:
        self._must_be_here()
        self._around.must_be_tagged(tags, f"{kind} {one_id}")
        return self._must_have(kind, [one_id])

    def _may_adopt(self, new: NewAdoption) -> bool:
        """Only a copy that was made for the drill: what is adopted is written to, and gets another name."""
        self._around.must_be_copy(new.image)
        return self._may_make(new)

    def _may_join(self, server_id: str, volume_id: str) -> bool:
        return self._must_have("server", [server_id]) and self._must_have("volume", [volume_id])

    def _may_delete(self, kind: str, one_id: str) -> bool:
        """Whatever lies in the project goes. What does not is somebody else's, or gone, and then nothing is
        to be done: which of the two is told for what can be looked for everywhere."""
        if not self._around.must_be_own(self._id):
            return False
        if self._has(kind, [one_id]):
            return True
        if one_id in self._elsewhere(kind):
            raise Fenced("{kind} {id} is not the drill's own", kind=kind, id=one_id)
        return False

    def _must_have(self, kind: str, ids: Iterable[str]) -> bool:
        self._must_be_here()
        wanted = list(ids)
        if not self._has(kind, wanted):
            raise Fenced("{kind} {id} is not the drill's own", kind=kind, id=", ".join(wanted))
        return True

    def _has(self, kind: str, ids: Iterable[str]) -> bool:
        wanted = set(ids)
        if not wanted <= self._seen:
            self._seen |= {
                one.id for one in self._lists[kind]() if getattr(one, "project_id", self._id) == self._id
            }
        return wanted <= self._seen

    def _elsewhere(self, kind: str) -> set[str]:
        everywhere: Mapping[str, Callable[[], Iterable[Any]]] = {
            "server": self._cloud.list_all_servers,
            "volume": self._cloud.list_all_volumes,
            "port": self._cloud.list_all_ports,
            "network": self._cloud.list_networks,
        }
        return {one.id for one in everywhere[kind]()} if kind in everywhere else set()
