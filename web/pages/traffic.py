"""Traffic for people: which share each site gets, how a shift goes, and what to do about it."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from dr.traffic import acting, describing
from dr.traffic.acting import Wanted
from dr.traffic.rules import NEVER_SET_ASIDE, Rule
from web.backup_words import with_faults
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, dns, read

blueprint = APIBlueprint("traffic_pages", __name__, url_prefix="/recovery/traffic", enable_openapi=False)
_RULES = tuple(rule.value for rule in Rule if rule not in NEVER_SET_ASIDE)


@blueprint.get("/")
def list_traffic() -> str:
    """Every name with the share of each site."""
    return render_template("traffic.html", names=read(describing.list_traffic))


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One name: shares, parts, the shift under way, the last ones."""
    return _page(key)


@blueprint.post("/<key>/shift")
def shift(key: str) -> Answer:
    """Begin to move people to the shares of the form."""
    return _act(key, lambda: acting.shift(core(), actor(), dns(), key, _wanted()), "shift_begun")


@blueprint.post("/<key>/shifts/<int:shift_id>/halt")
def halt(key: str, shift_id: int) -> Answer:
    """People stay where they are by now."""
    return _act(key, lambda: acting.halt(core(), actor(), shift_id, _reason()), "shift_halted")


@blueprint.post("/<key>/shifts/<int:shift_id>/resume")
def resume(key: str, shift_id: int) -> Answer:
    """A halted shift goes on."""
    return _act(key, lambda: acting.resume(core(), actor(), dns(), shift_id, _reason()), "shift_resumed")


@blueprint.post("/<key>/shifts/<int:shift_id>/roll-back")
def roll_back(key: str, shift_id: int) -> Answer:
    """People go to where they were before."""
    return _act(key, lambda: acting.roll_back(core(), actor(), shift_id, _reason()), "shift_taken_back")


@blueprint.post("/<key>/freeze")
def freeze(key: str) -> Answer:
    """Nobody is moved until it is ended."""
    return _act(key, lambda: acting.freeze(core(), actor(), key, _reason()), "traffic_frozen")


@blueprint.post("/<key>/thaw")
def thaw(key: str) -> Answer:
    """People may be moved again."""
    return _act(key, lambda: acting.thaw(core(), actor(), key, _reason()), "traffic_thawed")


def _wanted() -> Wanted:
    """The shares of the form; what is no number is 0, and the rules say that they make no hundred."""
    given = {key.removeprefix("weight-"): text for key, text in request.form.items() if key[:7] == "weight-"}
    weights = {site: int(text) if text.isdecimal() and len(text) < 5 else 0 for site, text in given.items()}
    soak = request.form.get("soak_s", "")
    soak_s = int(soak) if soak.isdecimal() and len(soak) < 7 else None
    return Wanted(None, weights, soak_s, tuple(request.form.getlist("set_aside")), _reason())


def _reason() -> str:
    return request.form.get("reason", "")


def _act(key: str, what: Callable[[], object], done: str) -> Answer:
    return act(what, lambda: url_for(".show", key=key, done=done), lambda error: _page(key, error))


def _page(key: str, error: CloudctlError | None = None) -> str:
    shown = with_faults({**read(describing.show_traffic, key), "faults": []})
    is_open = [one for one in shown["shifts"] if one["ended_at"] is None]
    return render_template(
        "traffic_page.html",
        traffic=shown,
        shift=is_open[0] if is_open else None,
        rules=_RULES,
        form=request.form,
        problem=problem(error) if error is not None else None,
    )
