"""The data of a drill out of what the storage replicates: a moment of the replicas, copied and adopted.

The replicas go on as they are, and so does what they follow: its storage is asked for a moment and nothing
else. What the servers are is told by a recovery point of the system; no byte of it is used.

`drill.made["replicas"]` has `source`, `point`, `boots`; by position of the point's topology `pairs`, `types`
(of the adopted volumes) and, at the end, `volumes`; `moment_at`, `has_moment`, `arrived_at`, `tried`; and
`behind_s`: what a loss at the beginning would have cost, by beats, else how long the moment was on its way.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import BuildFailed, CloudBusy, CloudNotFound, Fault, Refused
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import Drill, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Clouds, Replication
from dr.drills.fenced_cloud import FencedClouds
from dr.drills.fenced_storage import fenced_storage
from dr.drills.job import DrillJob, keep
from dr.marks import TAG_POSITION
from dr.plans import portrait
from dr.plans.document import Way
from dr.plans.known import mapping_between
from dr.ways import pairs as decide
from dr.ways import replication as way
from dr.ways.pairs import Pair

KEPT = "replicas"  # in `made`
MOST_ADOPTIONS = 5
_GOING = "deleting"
Json = dict[str, Any]


class FromReplicas:
    """Implements Cloning. Copies are named so that the drill's fence knows them."""

    def __init__(self, clouds: Clouds, replication: Replication, settings: Settings) -> None:
        self._clouds = clouds
        self._replication = replication
        self._settings = settings

    def begin(self, run: Run, job: DrillJob) -> None:
        """Which copies there are, of what type theirs will be, and how far they are behind now. Refused with
        everything that is in the way."""
        if KEPT in job.made:
            return
        target = job.site.id
        told = _read(run, job)
        found = way.ids_of(self._replication, target, list(told.volumes.values()))
        pairs = {position: found[one] for position, one in told.volumes.items() if one in found}
        kinds = self._cloud(job).list_volume_types()
        types = {position: decide.rehearsal_type(kinds, told.types[position]) for position in pairs}
        lost = [one for one in told.must if one not in found]
        lacking = {told.types[position] for position, kind in types.items() if kind is None}
        if lost or lacking:
            faults = [*_lost(target, lost), *_lacking(target, sorted(lacking))]
            raise Refused("{plan} cannot be rehearsed now", plan=job.plan.name, faults=faults)
        lags = way.lags(self._replication, target, list(pairs.values()), run.clock.now())
        kept = {
            "source": told.source, "point": told.point, "boots": told.boots,
            "behind_s": decide.worst(lags), "pairs": _by_text(pairs), "types": _by_text(types),
        }  # fmt: skip
        with run.write() as (uow, _operation):
            keep(uow.need(Drill, job.drill.id), **{KEPT: kept})

    def topology(self, run: Run, job: DrillJob) -> Mapping[str, Any]:
        """As the point tells it, with the types of the copies, and without the servers that have none."""
        kept = job.made[KEPT]
        with run.store.read() as uow:
            topology = uow.need(RecoveryPoint, kept["point"]).topology
        types: Mapping[str, str] = kept["types"]
        return {
            **topology,
            "volumes": [
                {**one, "type": types.get(str(one["position"]), one["type"])} for one in topology["volumes"]
            ],
            "servers": [
                one
                for one in topology["servers"]
                if {str(position) for position in (one.get("boot"), *(one.get("data") or ()))} <= types.keys()
            ],
        }

    def clone(self, run: Run, job: DrillJob, types: list[dict[str, Any]]) -> Outcome | None:
        """A moment at the source, a copy of it here once it has arrived, and volumes of the drill's project.
        Their types were chosen at the beginning."""
        self._take_moments(run, job)
        kept, pairs = self._kept(run, job), _pairs(job)
        inside, target = self._cloud(job).in_project(job.project), job.site.id
        there = {one.tags.get(TAG_POSITION) for one in inside.list_volumes()}
        lacking = [one.id for one in pairs if one.row not in there]  # what was adopted has another name
        wait = way.copies(self._storage(job), target, lacking, _moment(job), job.copy_name, run.must_hold)
        if wait is not None:
            self._must_not_last(run, job, kept)
            return wait
        if "arrived_at" not in kept:
            now = run.clock.now()
            taken_s = (now - datetime.fromisoformat(kept["moment_at"])).total_seconds()
            known_s = kept["behind_s"]
            self._note(run, job, arrived_at=now.isoformat(), behind_s=taken_s if known_s is None else known_s)
        adopter = way.Adopter(
            inside, target, lambda pair: job.copy_name(pair.id),
            lambda pair: {**job.tags, TAG_POSITION: pair.row},
            inside.delete_volume,  # a copy that is half adopted is made anew
            lambda pair: self._may_try_again(run, job, pair),
            TAG_POSITION,
        )  # fmt: skip
        adopted = way.adopt(adopter, pairs, run.must_hold)
        if isinstance(adopted, Later):
            return adopted
        self._note(run, job, volumes=adopted)
        return None

    def volumes(self, run: Run, job: DrillJob) -> Mapping[int, str]:
        found: Mapping[str, str] = self._kept(run, job).get("volumes") or {}
        return {int(position): volume for position, volume in found.items()}

    def clear(self, run: Run, job: DrillJob) -> int:
        """Volumes first, since they are children of the moments; then copies that nobody adopted, and the
        moments at the source."""
        kept: Json = job.made.get(KEPT) or {}
        if "moment_at" not in kept:
            return 0
        left = self._drop_volumes(run, job) if job.project else 0
        if left:
            return left
        ids = list(kept["pairs"].values())
        return way.drop(
            self._storage(job), kept["source"], job.site.id, ids, _moment(job), job.copy_name, run.must_hold
        )  # fmt: skip

    def forget(self, job: DrillJob) -> None:
        """No key is in memory."""

    # -- the pieces

    def _take_moments(self, run: Run, job: DrillJob) -> None:
        """Written down before they are: whoever clears away looks for them."""
        kept = self._kept(run, job)
        if kept.get("has_moment"):
            return
        if "moment_at" not in kept:
            self._note(run, job, moment_at=run.clock.now().isoformat())
        ids = list(kept["pairs"].values())
        way.moments(self._storage(job), kept["source"], ids, _moment(job), run.must_hold)
        self._note(run, job, has_moment=True)

    def _must_not_last(self, run: Run, job: DrillJob, kept: Mapping[str, Any]) -> None:
        """BuildFailed when a moment should have arrived long ago."""
        begun_at = datetime.fromisoformat(kept["moment_at"])
        if (run.clock.now() - begun_at).total_seconds() > self._settings.proof_patience_s:
            raise BuildFailed(
                "what was written at {source} has not arrived at {site} within {seconds} s",
                source=kept["source"], site=job.site.id, seconds=int(self._settings.proof_patience_s),
            )  # fmt: skip

    def _may_try_again(self, run: Run, job: DrillJob, pair: Pair) -> bool:
        tried: dict[str, int] = dict(self._kept(run, job).get("tried") or {})
        tried[pair.row] = tried.get(pair.row, 0) + 1
        self._note(run, job, tried=tried)
        return tried[pair.row] < MOST_ADOPTIONS

    def _drop_volumes(self, run: Run, job: DrillJob) -> int:
        """Those that were adopted; how many are still there."""
        inside = self._cloud(job).in_project(job.project)
        try:
            found = [one for one in inside.list_volumes() if TAG_POSITION in one.tags]
        except CloudNotFound:
            return 0
        for one in found:
            if one.status != _GOING:
                run.must_hold()
                with suppress(CloudBusy):
                    inside.delete_volume(one.id)
        return len(found)

    def _cloud(self, job: DrillJob) -> Cloud:
        return FencedClouds(self._clouds, job.site.id, job.fence).at(job.site.id)

    def _storage(self, job: DrillJob) -> Replication:
        return fenced_storage(self._replication, job.fence.prefix)

    @staticmethod
    def _kept(run: Run, job: DrillJob) -> Json:
        with run.store.read() as uow:
            return dict((uow.need(Drill, job.drill.id).made or {})[KEPT])

    @staticmethod
    def _note(run: Run, job: DrillJob, **values: Any) -> None:
        with run.write() as (uow, _operation):
            row = uow.need(Drill, job.drill.id)
            keep(row, **{KEPT: {**(row.made or {})[KEPT], **values}})


@dataclass(frozen=True)
class _Told:
    """What the newest point tells: `volumes` by position, and `must`: those that have to be replicated."""

    source: str
    point: str
    volumes: Mapping[int, str]
    must: Sequence[str]
    types: Mapping[int, str]  # as the plan maps them to the site
    boots: Sequence[int]


def _read(run: Run, job: DrillJob) -> _Told:
    """Refused when there is no point."""
    system, source = job.document.system, job.plan.active_site_id
    with run.store.read() as uow:
        told = portrait.newest(uow, system, source)
        if told is None:
            raise Refused("no recovery point tells what {system} consists of", system=system)
        point, volumes = told.point, told.volumes_of(_names(job))
        must = told.volumes_of(_names(job, Way.REPLICATION))
        mapping = mapping_between(job.document, point.site_id, job.site.id).get("types", {})
        types = {int(one["position"]): str(one["type"]) for one in point.topology["volumes"]}
        boots = [int(one["boot"]) for one in point.topology["servers"] if one.get("boot") is not None]
    mapped = {position: mapping.get(kind, kind) for position, kind in types.items()}
    return _Told(source, point.id, volumes, list(must.values()), mapped, boots)


def _lost(site: str, volumes: Sequence[str]) -> list[Fault]:
    template = "{site} has no copy of volume {name}"
    return [Fault("storage", "no_replica", template, {"site": site, "name": one}) for one in volumes]


def _lacking(site: str, types: Sequence[str]) -> list[Fault]:
    template = "{site} has no volume type for rehearsals beside '{type}': the copies would be replicated"
    hint = "make a type of the same backend whose volumes are not replicated"
    return [Fault("mapping.types", "no_type", template, {"site": site, "type": one}, hint) for one in types]


def _names(job: DrillJob, only: Way | None = None) -> list[str]:
    return [name for part in job.document.parts if only in (None, part.way) for name in part.servers]


def _moment(job: DrillJob) -> str:
    return f"{job.fence.prefix}moment"


def _pairs(job: DrillJob) -> list[Pair]:
    """What each copy becomes; the row is its position."""
    kept = job.made[KEPT]
    return [
        Pair(pair_id, position, f"{job.fence.prefix}{position}", str(kept["types"][position]),
             int(position) in kept["boots"])
        for position, pair_id in kept["pairs"].items()
    ]  # fmt: skip


def _by_text(values: Mapping[int, object]) -> Json:
    return {str(position): value for position, value in values.items()}
