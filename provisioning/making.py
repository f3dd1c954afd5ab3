"""The calls that make things, one function a kind: from a row and what it needs to a call and its result."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from cloudctl.errors import CloudBusy, CloudConflict, CloudctlError
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Resource
from cloudctl.operations import Run
from cloudctl.ports import CloudInProject, NewPort, NewServer, NewVolume
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.job import Job
from provisioning.lanes import Result
from provisioning.look import addresses

Made = dict[str, Any]  # columns of the row that are new


def maker(
    run: Run, job: Job, inside: CloudInProject, row: Resource, group: Future[str]
) -> Callable[[], Made]:
    """The call for one row, to be run in a lane; a port waits in it for the security group."""

    def call() -> Made:
        group_id = group.result() if row.kind == PORT else ""
        run.must_hold()
        if row.kind == PORT:
            return _make_port(job, inside, row, group_id)
        make = {VOLUME: _make_volume, SERVER: _make_server}[row.kind]
        return make(job, inside, row)

    return call


def kept(promise: Future[str], make: Callable[[], str]) -> Callable[[], str]:
    """The call that makes the group, and lets those who wait for it know."""

    def call() -> str:
        try:
            promise.set_result(make())
        except BaseException as error:
            promise.set_exception(error)
            raise
        return promise.result()

    return call


def tagger(run: Run, job: Job, inside: CloudInProject, row: Resource) -> Callable[[], Made]:
    """The call that tags a port which an older Neutron made untagged."""

    def call() -> Made:
        run.must_hold()
        assert row.external_id is not None
        inside.tag_port(row.external_id, job.tags(row.id))
        return {}

    return call


def attacher(run: Run, inside: CloudInProject, row: Resource, server_id: str) -> Callable[[], Made]:
    """The call that attaches a volume which was asked for alone."""

    def call() -> Made:
        run.must_hold()
        assert row.external_id is not None
        inside.attach_volume(server_id, row.external_id)
        return {}

    return call


def outcome_of(result: Result[Made]) -> Made:
    """What to write on the row. A refusal is certain; after anything else the thing may exist."""
    if result.error is None:
        return result.unwrap()
    return {
        "spec": {"is_refused": is_certain(result.error)},
        "cloud_request_id": result.error.cloud_request_id,
    }


def is_certain(error: CloudctlError) -> bool:
    """Whether the error says that nothing was made."""
    return not error.retry


def _make_port(job: Job, inside: CloudInProject, row: Resource, group_id: str) -> Made:
    tags = job.tags(row.id)
    port = inside.create_port(NewPort(row.name, job.scratch["ground"]["network"], (group_id,), tags))
    if not tags.items() <= port.tags.items():
        inside.tag_port(port.id, tags)
    return {"external_id": port.id, "state": ResourceState.ACTIVE, "addresses": addresses(port)}


def _make_volume(job: Job, inside: CloudInProject, row: Resource) -> Made:
    spec, ground = row.spec, job.scratch["ground"]
    image = ground["image"] if spec.get("image") else None
    new = NewVolume(row.name, spec["size_gib"], ground["types"][spec["type"]], job.tags(row.id), image)
    return {"external_id": inside.create_volume(new).id, "state": ResourceState.BUILDING}


def _make_server(job: Job, inside: CloudInProject, row: Resource) -> Made:
    ground, external = job.scratch["ground"], _external_ids(job)
    new = NewServer(
        row.name,
        ground["flavor"],
        external[row.spec["boot"]],
        tuple(external[one] for one in row.spec["data"]),
        (external[row.spec["port"]],),
        ground["key"],
        job.tags(row.id),
        user_data=ground.get("user_data"),
    )
    try:
        return {"external_id": inside.create_server(new).id, "state": ResourceState.BUILDING}
    except CloudConflict as error:  # its port or a volume is not free yet after an earlier attempt
        raise CloudBusy("{why}", why=error.text(), cloud_request_id=error.cloud_request_id) from error


def _external_ids(job: Job) -> Mapping[str, str]:
    return {row.id: row.external_id for row in job.resources if row.external_id is not None}
