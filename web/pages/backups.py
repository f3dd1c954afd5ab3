"""Protection: how it stands, policies, recovery points with the level to which they are proved, proofs."""

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.queries import backups as reads
from cloudctl.queries.backups import Points
from dr import acting, policies, standing
from dr.buckets import acting as buckets
from dr.levels import LEVELS
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, read

blueprint = APIBlueprint("backup_pages", __name__, url_prefix="/backup", enable_openapi=False)
_MOST = 200


@blueprint.get("/")
def show() -> str:
    """Everything on one page: coverage, gauges, what is at risk, vaults, who lacks a policy."""
    return render_template("protection.html", stands=standing.overview(core(), actor()))


@blueprint.get("/policies")
def list_policies() -> str:
    return render_template("backup_policies.html", policies=standing.list_policies(core(), actor()))


@blueprint.get("/policies/<int:policy_id>")
def show_policy(policy_id: int) -> str:
    return _policy_page(policy_id)


@blueprint.post("/policies/<int:policy_id>/suspend")
def suspend(policy_id: int) -> Answer:
    """No new points until it is resumed."""
    reason = request.form.get("reason", "")
    return act(
        lambda: policies.suspend(core(), actor(), str(policy_id), reason),
        lambda: url_for(".show_policy", policy_id=policy_id, done="policy_suspended"),
        lambda error: _policy_page(policy_id, error),
    )


@blueprint.post("/policies/<int:policy_id>/resume")
def resume(policy_id: int) -> Answer:
    """Points are due again."""
    return act(
        lambda: policies.resume(core(), actor(), str(policy_id)),
        lambda: url_for(".show_policy", policy_id=policy_id, done="policy_resumed"),
        lambda error: _policy_page(policy_id, error),
    )


@blueprint.get("/points")
def list_points() -> str:
    return _points_page()


@blueprint.post("/run")
def run() -> Answer:
    """Take a point of a system now."""
    system = request.form.get("system", "")
    return act(
        lambda: acting.run(core(), actor(), system),
        lambda: url_for(".list_points", system=system, done="point_begun"),
        _points_page,
    )


@blueprint.get("/points/<key>")
def show_point(key: str) -> str:
    return _point_page(key)


@blueprint.post("/points/<key>/prove")
def prove(key: str) -> Answer:
    """Prove the point to a level."""
    level = request.form.get("level") or None
    return act(
        lambda: acting.prove(core(), actor(), key, level),
        lambda: url_for(".show_point", key=key, done="proof_begun"),
        lambda error: _point_page(key, error),
    )


@blueprint.post("/points/<key>/restore-bucket")
def restore_bucket(key: str) -> Answer:
    """Bring the bucket of the point back, as it was at a time."""
    form = request.form
    where, name, text = form.get("site") or None, form.get("bucket") or None, form.get("as_of", "")
    return act(
        lambda: buckets.restore(core(), actor(), key, where, name, buckets.moment_of(text)),
        lambda: url_for(".show_point", key=key, done="restore_asked"),
        lambda error: _point_page(key, error),
    )


@blueprint.get("/proofs")
def list_proofs() -> str:
    return render_template("proofs.html", proofs=read(reads.list_proofs, _MOST))


def _policy_page(policy_id: int, error: CloudctlError | None = None) -> str:
    return render_template(
        "backup_policy.html",
        policy=standing.show_policy(core(), actor(), str(policy_id)),
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )


def _points_page(error: CloudctlError | None = None) -> str:
    system = request.values.get("system") or None
    members = standing.members(core(), actor(), system=system) if system else []
    return render_template(
        "points.html",
        points=read(reads.list_points, Points(system=system, limit=_MOST)),
        system=system,
        members=members,
        levels=LEVELS,
        problem=problem(error) if error is not None else None,
    )


def _point_page(key: str, error: CloudctlError | None = None) -> str:
    return render_template(
        "point_page.html",
        point=read(reads.show_point, key),
        levels=LEVELS,
        problem=problem(error) if error is not None else None,
    )
