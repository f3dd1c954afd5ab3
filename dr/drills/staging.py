"""What a drill makes and looks at: its project, networks that lead nowhere, the probe, and then the servers.

Every pass looks first and adopts what is there by name. The probe is started before there is any data, and
no server before the probe has spoken.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cloudctl.config import Settings
from cloudctl.errors import Fault
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Clouds, Server
from dr.drills import scene as scenes
from dr.drills.cloning import Cloning
from dr.drills.fenced_cloud import FencedClouds
from dr.drills.job import DrillJob, keep
from dr.drills.scene import Questions, Scene
from dr.isolated import ground, laying, probe
from dr.isolated.laying import EYE
from dr.isolated.plan import Offer
from dr.isolated.probe import Report, Target
from dr.restore_plan import type_at
from provisioning.lanes import Lanes

ROUND_S, ROUNDS_S = 1.0, 2 * 86400.0  # the probe looks again after so long, and until then


@dataclass(frozen=True)
class Seen:
    """What one look at the site shows."""

    servers: dict[str, Server]  # by name
    report: Report | None
    ways_out: tuple[str, ...]

    @property
    def leaks(self) -> list[str]:
        """Everything that must not be: ways out, and what answered outside."""
        return [*self.ways_out, *(self.report.answered if self.report else ())]


class Staging:
    """Everything of a drill at its site, except how its data gets there."""

    def __init__(self, clouds: Clouds, settings: Settings, lanes: Lanes) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes
        self._known: dict[int, Scene] = {}

    def cloud(self, job: DrillJob) -> Cloud:
        """The site, fenced to what is the drill's own."""
        return FencedClouds(self._clouds, job.site.id, job.fence).at(job.site.id)

    def draw(self, run: Run, job: DrillJob, cloning: Cloning) -> Scene | list[Fault]:
        """What will be made, or all that is in its way. Found out once by each worker."""
        known = self._known.get(job.drill.id)
        if known is not None:
            return known
        cloud, settings = self.cloud(job), self._settings
        offer = Offer(cloud.list_flavors(), cloud.list_images(), settings.probe_flavor, settings.probe_image)
        forbidden = [*cloud.api_addresses(), *settings.isolation_canary.split()]
        drawn, faults = scenes.draw(cloning.topology(run, job), job.document, job.site.id, offer, forbidden)
        if drawn is None:
            return faults
        self._known[job.drill.id] = drawn
        return drawn

    def forget(self, job: DrillJob) -> None:
        self._known.pop(job.drill.id, None)

    # -- before there is any data

    def lay(self, run: Run, job: DrillJob, scene: Scene, cloning: Cloning) -> None:
        """The project, room in its quota, networks, groups and ports; again changes nothing.

        The nonce to which the probe's words are bound is written down before the probe exists.
        """
        cloud = self.cloud(job)
        topology = cloning.topology(run, job)
        if not job.project:
            project = ground.ensure(run, cloud, job.fence.plot).id
            cloud.ensure_own_access(project)
            cloud.set_quota(project, scenes.amounts(scene, topology))
            kinds = [kind.name for kind in cloud.list_volume_types()]
            wanted = next((str(one["type"]) for one in topology.get("volumes") or ()), "")
            with run.write() as (uow, _operation):
                row = uow.need(type(job.drill), job.drill.id)
                keep(row, project=project, nonce=secrets.token_hex(16), probe_type=type_at(wanted, kinds))
            return
        if "ids" not in job.made:
            ids = laying.lay_networks(run, cloud, job.place({}), scene.plan)
            with run.write() as (uow, _operation):
                keep(uow.need(type(job.drill), job.drill.id), ids=vars(ids))
            return
        if "addresses" not in job.made:
            ports = laying.lay_ports(run, cloud, job.place({}), scene.plan, job.ids, self._together(job))
            found = {one.name: one.address for one in laying.targets_of(scene.plan, ports)}
            parts = {part: list(servers) for part, servers in scene.servers.items()}
            with run.write() as (uow, _operation):
                row = uow.need(type(job.drill), job.drill.id)
                own = {one.name: ports[one.name].id for one in scene.plan.servers}
                keep(row, addresses=found, parts=parts, ports=own)

    @staticmethod
    def is_laid(job: DrillJob) -> bool:
        return "addresses" in job.made

    def lay_eye(self, run: Run, job: DrillJob, scene: Scene, questions: Questions) -> str:
        """The probe, told everything that it is to ask; what it waits for, or nothing once it runs."""
        cloud = self.cloud(job)
        inside = cloud.in_project(job.project)
        servers = {one.name: one for one in inside.list_servers()}
        ports = {one.name: one for one in inside.list_ports()}
        script = probe.user_data(
            questions.errand, str(job.made["nonce"]), int(ROUNDS_S / ROUND_S), ROUND_S
        )  # fmt: skip
        return laying.lay_eye(run, cloud, job.place({}), scene.plan, ports, servers, script)

    def questions(self, job: DrillJob, scene: Scene) -> Questions:
        """What the probe is asked; the addresses are those of the ports."""
        addresses = job.made["addresses"]
        targets = [Target(one.name, one.label, str(addresses[one.name])) for one in scene.plan.servers]
        return scenes.questions(job.document, scene, targets)

    # -- with the data

    def look(self, job: DrillJob) -> Seen:
        """The servers, the newest words of the probe, and whether anything leads out."""
        inside = self.cloud(job).in_project(job.project)
        servers = {one.name: one for one in inside.list_servers()}
        eye = servers.get(EYE)
        console = inside.console_output(eye.id) if eye is not None and eye.status == "ACTIVE" else ""
        ways_out = tuple(way for one in inside.list_own_networks() for way in one.ways_out)
        return Seen(servers, probe.read(console, str(job.made["nonce"])), ways_out)

    def make_bootable(self, run: Run, job: DrillJob, scene: Scene, cloning: Cloning) -> None:
        """Every server may be started from its volume, side by side; again changes nothing."""
        cloud, place = self.cloud(job), job.place(cloning.volumes(run, job))
        self._together(job)(
            [partial(laying.make_bootable, run, cloud, place, one) for one in scene.plan.servers]
        )

    def boot(self, run: Run, job: DrillJob, scene: Scene, cloning: Cloning, names: Sequence[str]) -> None:
        """Start these servers side by side; none of them is there. Raises the worst of what went wrong."""
        if not names:
            return
        cloud, place = self.cloud(job), job.place(cloning.volumes(run, job))
        by_name, ports = {one.name: one for one in scene.plan.servers}, job.made.get("ports")
        if ports is None:  # laid by an earlier version, which made volumes bootable only here
            ports = {one.name: one.id for one in cloud.in_project(job.project).list_ports()}
            self.make_bootable(run, job, scene, cloning)
        self._together(job)(
            [partial(laying.boot, run, cloud, place, by_name[name], str(ports[name])) for name in names]
        )

    def _together(self, job: DrillJob) -> laying.Together:
        def all_at_once(jobs: Sequence[Callable[[], None]]) -> object:
            return self._lanes.must(job.site.id, job.site.slots, list(jobs))

        return all_at_once
