"""The rungs that cut: the old site's storage refuses its writers, or its network lets none of them through.

They reach into a site that goes on without knowing why, so they are for unplanned moves, and only where
nothing gentler will do: with an agent on every server that can write, the end of their lease is waited for
instead, which takes half a minute and breaks nothing. What is cut is written down before it is cut, read back
after it, and given back with the move.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from cloudctl.errors import (
    CloudBusy,
    CloudctlError,
    CloudNotFound,
    StorageBusy,
    WitnessUnavailable,
)
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Port, Replication
from cloudctl.ports.replication import ReplicaState
from dr.failover import timing
from dr.failover.job import MoveJob, remember
from dr.failover.off import COMPUTE, ServersOff, servers_of, without_agent
from dr.failover.protocols import Proof, Voting, Waiting
from dr.plans.document import Document, Serving, Way
from dr.plans.facts import servers_at
from dr.plans.known import bare
from dr.ways import replication as way

STORAGE, NETWORK = "storage", "network"
VOLUMES, STOPPED, PORTS = "fenced_volumes", "fenced_servers", "fenced_ports"  # in `made`, before it is done
_LOOK_S = 2.0
#: A client that was put out is forgotten within seconds; a guest has a minute to shut down by itself.
_TAKES = {VOLUMES: timedelta(seconds=30), STOPPED: timedelta(seconds=90)}
_RUNS = "ACTIVE"


def may_cut(run: Run, job: MoveJob, witness: Voting) -> bool:
    """Whether nothing gentler is left: no agent stops these writers, or all had their time and did not say
    that they did. Where no majority answers nobody can say so."""
    old = job.failover.from_site_id
    try:
        enrolled = witness.servers(job.group, old)
        if not enrolled or without_agent(run, job.document, old, enrolled):
            return True
        lease_s = max(float(job.document.lease_s), witness.lease_s(job.group, old))
    except WitnessUnavailable:
        return True
    seized_at = (job.failover.times or {}).get("seized")
    if not job.is_planned or seized_at is None:
        return False
    return run.clock.now() >= datetime.fromisoformat(seized_at) + timedelta(seconds=timing.wait_s(lease_s))


class StorageFence:
    """The old site's storage takes no write to any volume of the system any more.

    Whoever has one open loses it, and then it is demoted: from then on nobody can open it to write, whoever
    comes back. It stands for every writer where all data of the system lies on replicated volumes.
    """

    rung = STORAGE
    is_positive = True

    def __init__(self, replication: Replication, witness: Voting) -> None:
        self._replication = replication
        self._witness = witness

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """None where it does not reach all data. Errors of the storage: it proves nothing."""
        if job.is_planned or not _is_all_replicated(job.document) or not may_cut(run, job, self._witness):
            return None
        old = job.failover.from_site_id
        volumes = _volumes(run, job.document, old)
        found = self._replication.replicas(old, tuple(volumes)) if volumes else []
        if not found or any(one.state is ReplicaState.ABSENT or not one.id for one in found):
            return None
        open_ones = [one.id for one in found if one.state is ReplicaState.PRIMARY]
        if open_ones:
            _note(run, job, VOLUMES, dict.fromkeys(open_ones, old))
            wait = self._cut(run, job, open_ones)
            if wait is not None:
                return wait
            found = self._replication.replicas(old, tuple(volumes))
        still = [one.volume_id for one in found if one.state is ReplicaState.PRIMARY]
        if still:
            return _patient(run, job, VOLUMES, f"the storage of {old} to let go of {', '.join(still)}")
        return Proof(STORAGE, {"volumes": len(found), "states": sorted({one.state.value for one in found})})

    def _cut(self, run: Run, job: MoveJob, pairs: Sequence[str]) -> Waiting | None:
        old, busy = job.failover.from_site_id, []
        for pair_id in pairs:
            run.must_hold()
            job.must_be_mine()
            self._replication.evict(old, pair_id)
            try:
                self._replication.demote(old, pair_id)
            except StorageBusy as error:
                busy.append(error.text())
        return _patient(run, job, VOLUMES, "; ".join(busy)) if busy else None

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""

    def lift(self, run: Run, job: MoveJob) -> Later | None:
        """The volumes are primary again. Who was put out opens them anew: a server is to be started again."""
        pairs: list[str] = list(job.made.get(VOLUMES) or {})
        return way.give_back(self._replication, job.failover.from_site_id, pairs, job.must_be_mine)


class StopServers:
    """The rung of compute: the old site's servers are off. cloudctl stops them where the plan lets it."""

    rung = COMPUTE
    is_positive = True

    def __init__(self, clouds: Clouds, witness: Voting) -> None:
        self._clouds = clouds
        self._witness = witness
        self._off = ServersOff(clouds)

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """As ServersOff; what still runs is being stopped after that."""
        found = self._off.prove(run, job)
        is_to_stop = isinstance(found, Waiting) and job.document.fence.stop_servers
        if not is_to_stop or not may_cut(run, job, self._witness):
            return found
        stop(run, job, self._clouds, servers_of(run, job.document, job.failover.from_site_id))
        assert isinstance(found, Waiting)
        return _patient(run, job, STOPPED, found.why)

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""

    def lift(self, run: Run, job: MoveJob) -> Later | None:
        """What cloudctl has stopped runs again; what people stopped stays as it is. One that does not start
        keeps none of the others."""
        failed: list[CloudctlError] = []
        for server_id, project_id in (job.made.get(STOPPED) or {}).items():
            job.must_be_mine()
            try:
                self._clouds.at(job.failover.from_site_id).in_project(project_id).start_server(server_id)
            except CloudNotFound:
                continue  # somebody has deleted it
            except CloudctlError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return None


def stop(run: Run, job: MoveJob, clouds: Clouds, known: Mapping[str, str]) -> list[str]:
    """Shut down those of these servers of the old site that run; written down before, so that `lift` starts
    them again. `known`: names by their ids. The names of those that ran; what is in another state, and no
    stop would change, is not among them."""
    cloud = clouds.at(job.failover.from_site_id)
    running = {one.id: one.project_id for one in cloud.list_all_servers()
               if one.id in known and one.status == _RUNS}  # fmt: skip
    _note(run, job, STOPPED, running)
    for server_id, project_id in running.items():
        run.must_hold()
        job.must_be_mine()
        cloud.ensure_own_access(project_id)
        with suppress(CloudBusy):  # on its way down, or soon to be asked again
            cloud.in_project(project_id).stop_server(server_id)
    return sorted(known[one] for one in running)


class NetworkFence:
    """The old site's network lets nothing of the writers through: every port of theirs is down, read back.

    Nobody reaches them, and what they still do to disks of their own nobody sees. In a planned move that is
    no proof: the last copy would be made while they write.
    """

    rung = NETWORK
    is_positive = True

    def __init__(self, clouds: Clouds, witness: Voting) -> None:
        self._clouds = clouds
        self._witness = witness

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """None where a server has no port that is seen. Errors of the old cloud: it proves nothing."""
        if job.is_planned or not may_cut(run, job, self._witness):
            return None
        old = job.failover.from_site_id
        known, cloud = servers_of(run, job.document, old), self._clouds.at(old)
        ports = _ports_of(cloud.list_all_ports(), known)
        if not known or {one.device_id for one in ports} != set(known):
            return None
        if up := {one.id: one.project_id for one in ports if one.is_up}:
            _note(run, job, PORTS, up)
            for port_id, project_id in up.items():
                run.must_hold()
                job.must_be_mine()
                cloud.ensure_own_access(project_id)
                cloud.in_project(project_id).set_port_up(port_id, is_up=False)
            ports = _ports_of(cloud.list_all_ports(), known)
        passing = sorted({known[one.device_id] for one in ports if one.is_up or one.status != "DOWN"})
        if passing:
            return Waiting(f"the network of {old} to cut off {', '.join(passing)}", _LOOK_S)
        return Proof(NETWORK, {"ports": sorted(one.id for one in ports), "of": sorted(known.values())})

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""

    def lift(self, run: Run, job: MoveJob) -> Later | None:
        """The ports that cloudctl has closed let packets through again."""
        for port_id, project_id in (job.made.get(PORTS) or {}).items():
            job.must_be_mine()
            try:
                self._clouds.at(job.failover.from_site_id).in_project(project_id).set_port_up(
                    port_id, is_up=True
                )
            except CloudNotFound:
                continue
        return None


def _is_all_replicated(document: Document) -> bool:
    """Whether all data of the system lies on volumes that the storage copies."""
    ways = {part.way for part in document.parts if part.serving is not Serving.STATELESS} - {Way.NONE}
    return ways == {Way.REPLICATION}


def _volumes(run: Run, document: Document, site: str) -> list[str]:
    """Cinder's ids of all volumes of the servers of the replicated parts, as the rows have them now."""
    names = {bare(name) for part in document.parts if part.way is Way.REPLICATION for name in part.servers}
    with run.store.read() as uow:
        servers = servers_at(uow, document.system, site)
    mine = [one for one in servers if bare(one.name) in names or one.label in names]
    return sorted({volume.external_id for one in mine for volume in one.volumes if volume.external_id})


def _ports_of(ports: Sequence[Port], known: dict[str, str]) -> list[Port]:
    return [one for one in ports if one.device_id in known]


def _note(run: Run, job: MoveJob, key: str, new: dict[str, str]) -> None:
    """Before it is done: whatever becomes of this worker, it can be given back."""
    before: dict[str, str] = dict(job.made.get(key) or {})
    if not new.keys() <= before.keys():
        since = job.made.get(_since(key)) or run.clock.now().isoformat()
        remember(run, job.failover.id, **{key: {**before, **new}, _since(key): since})


def _patient(run: Run, job: MoveJob, key: str, why: str) -> Waiting:
    """What was begun has its time before the next rung is tried as well."""
    since = job.made.get(_since(key))
    is_young = since is None or run.clock.now() < datetime.fromisoformat(since) + _TAKES[key]
    return Waiting(why, _LOOK_S, is_young)


def _since(key: str) -> str:
    return f"{key}_at"
