"""What templates can call: translation, office words, times, amounts, and who is signed in."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Flask, request, url_for
from markupsafe import Markup

from cloudctl.actors import Role
from cloudctl.observing import restore_in_force, standby_of
from cloudctl.queries.notices import count_unread
from web import backup_words, migration_words, plan_words, report_words, titles, wording
from web.auth import CSRF_FIELD
from web.visitor import core, language, request_id, translate, visit, words

DECIDES = "decides"
_DECIDING = (Role.DEPARTMENT_APPROVER, Role.DIVISION_REVIEWER, Role.CLOUD_ADMIN, Role.PROVINCE_ADMIN)
# The pages of the way onto the cloud share one entry and have a second row of their own.
_ON_THE_WAY = (
    "target_pages.", "exemption_pages.", "wave_pages.", "facility_pages.", "gate_pages.", "stage_pages.",
)  # fmt: skip
# So do those of the disaster recovery: one entry in the menu, and a row of tabs.
RECOVERY_TABS = (
    ("plan_pages.list_plans", "Protection plans", ("plan_pages.",)),
    ("drill_pages.list_drills", "Drills", ("drill_pages.",)),
    ("traffic_pages.list_traffic", "Traffic", ("traffic_pages.",)),
    ("failover_pages.list_failovers", "Moves", ("failover_pages.",)),
    ("report_pages.list_reports", "Reports", ("report_pages.",)),
    ("alone_pages.show", "Working alone", ("alone_pages.",)),
)
_RECOVERY = tuple(start for _endpoint, _text, starts in RECOVERY_TABS for start in starts)
# endpoint, text, how the endpoints it stands for begin, right
MENU = (
    ("request_list.inbox", "To decide", ("request_list.inbox",), DECIDES),
    ("request_list.show", "Requests", ("request_list.show", "request_page.", "ask."), "request.see"),
    ("register_pages.list_systems", "Information systems", ("register_pages.",), "system.see"),
    ("resource_pages.show", "Resources", ("resource_pages.",), "resource.see"),
    ("quota_pages.show", "Quota", ("quota_pages.",), "quota.see"),
    ("migration_pages.show", "Migration rate", ("migration_pages.", "month_pages."), "migration.see"),
    ("target_pages.list_targets", "Targets", _ON_THE_WAY, "migration.see"),
    ("backup_pages.show", "Backups", ("backup_pages.", "database_pages.", "restore_pages."), "backup.see"),
    ("plan_pages.list_plans", "Disaster recovery", _RECOVERY, "dr.see"),
    ("bulletin_pages.show", "Bulletins", ("bulletin_pages.",), "migration.see"),
    ("audit_pages.list_events", "Audit", ("audit_pages.",), "audit.see"),
)
# What a page says after an act sent the browser there: `?done=` names a line, never carries one.
DONE: Mapping[str, str] = {
    "taken_over": "Your word is on record. This site works alone when another person has said so too.",
    "stands_by": "This site stands by for the home again.",
    "submitted": "The request was submitted. You will get a notice when something happens.",
    "approved": "You have approved the request.",
    "returned": "You have returned the request.",
    "rejected": "You have rejected the request.",
    "withdrawn": "The request was withdrawn.",
    "cancelled": "The request is cancelled; what was made for it is removed.",
    "password_changed": "The password was changed.",
    "bulletin_asked": "The bulletin is being made. Its files are shown here when it is done.",
    "token_revoked": "The token was revoked.",
    "month_frozen": "The month is frozen.",
    "urged": "The people of the scope were told.",
    "reported": "Your report was sent.",
    "decomposed": "The target has its parts now.",
    "target_closed": "The target is closed.",
    "exemption_asked": "The exemption was asked for. Another person decides.",
    "exemption_approved": "You have approved the exemption.",
    "exemption_rejected": "You have rejected the exemption.",
    "exemption_revoked": "The exemption is revoked; the system has to move.",
    "exemption_withdrawn": "The exemption was withdrawn.",
    "wave_started": "The wave has begun.",
    "wave_finished": "The wave is done.",
    "wave_cancelled": "The wave is given up.",
    "moved": "The stage of the system was changed.",
    "systems_imported": "The sheet was imported.",
    "point_begun": "A point is being taken.",
    "proof_begun": "The point is being proved.",
    "copy_begun": "The database is being copied.",
    "copy_proof_begun": "The copy is being proved.",
    "restore_asked": "The restore has begun.",
    "restore_awaits": "The restore waits for a second person.",
    "restore_decided": "Your decision was taken.",
    "confirmed": "You have confirmed that the installation may act again.",
    "policy_suspended": "The policy is suspended: no new points until it is resumed.",
    "policy_resumed": "The policy is in force again.",
    "shift_begun": "People are being moved; the page says how far it is.",
    "shift_halted": "The shift is halted: people stay where they are.",
    "shift_resumed": "The shift goes on.",
    "shift_taken_back": "People are being led to where they were.",
    "traffic_frozen": "It is frozen: nobody is moved.",
    "traffic_thawed": "People may be moved again.",
    "plan_suspended": "The plan is suspended: nobody relies on it until it is resumed.",
    "failover_asked": "The move was asked for. Two people have to say yes.",
    "failover_decided": "Your decision was taken.",
    "failover_stopped": "The move is being given back.",
    "failover_committed": "The system stays where it is now.",
    "drill_begun": "The drill has begun; the page says how far it is.",
    "drill_ended": "The hold ends; everything is cleared away.",
    "drill_aborted": "The drill is stopped and cleared away.",
    "plan_resumed": "The plan counts again; it has to be rehearsed first.",
}
_SUBJECTS: Mapping[str, tuple[str, str]] = {
    "service_request": ("request_page.show", "request_id"),
    "bulletin": ("bulletin_pages.show", "_anchor"),
    "target": ("target_pages.show", "target_id"),
    "exemption": ("exemption_pages.show", "exemption_id"),
    "wave": ("wave_pages.show", "wave_id"),
    "information_system": ("stage_pages.show", "key"),
    "restore": ("restore_pages.show", "restore_id"),
    "database_restore": ("database_pages.show", "_anchor"),
    "database_copy": ("database_pages.show", "_anchor"),
    "protection_plan": ("plan_pages.show", "key"),
    "traffic": ("traffic_pages.show", "key"),
    "failover": ("failover_pages.show", "failover_id"),
    "drill": ("drill_pages.show", "drill_id"),
}


def register(app: Flask) -> None:
    """Give the templates their words."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(moment=wording.moment, amounts=wording.amounts, plain_json=_plain_json)
    app.jinja_env.filters.update(
        addresses=wording.addresses,
        day=migration_words.day,
        permille=migration_words.permille,
        request_title=wording.request_title,
        pairs=_pairs,
        flavors=wording.flavors,
        span=backup_words.span,
        length_of_time=report_words.length_of_time,
        why=report_words.why,
        size=backup_words.size,
        took=plan_words.took,
        listed=_listed,
    )
    app.jinja_env.globals.update(
        _=_say,
        word=_word,
        amount=wording.amount,
        csrf_field=_csrf_field,
        may=_may,
        place_name=_place_name,
        subject_link=subject_link,
        site_title=titles.site,
        scope_title=titles.scope,
        group_name=migration_words.group_name,
        tier_name=backup_words.tier_name,
        level_name=backup_words.level_name,
        segment_name=plan_words.segment_name,
        catalogue_title=titles.catalogue,
        request_id=request_id,
    )
    app.context_processor(_of_this_request)


def subject_link(subject: str) -> str | None:
    """The page of `kind:id`, when there is one."""
    kind, _, key = subject.partition(":")
    endpoint, name = _SUBJECTS.get(kind, ("", ""))
    values: dict[str, Any] = {name: key}
    return url_for(endpoint, **values) if endpoint else None


def _of_this_request() -> dict[str, object]:
    here = visit()
    done = request.args.get("done", "")
    unread, observing, standby = 0, False, None
    if here is not None:
        with core().store.read() as uow:
            unread = count_unread(uow, here.actor)
            observing, standby = restore_in_force(uow) is not None, standby_of(uow)
    return {
        "language": language(),
        "actor": here.actor if here is not None else None,
        "unread": unread,
        "observing": observing,
        "standby_state": standby.state if standby is not None else None,
        "decides": _may(DECIDES),
        "done": translate()(DONE[done]) if done in DONE else None,
        "here": request.endpoint or "",
        "menu": MENU,
        "recovery_tabs": RECOVERY_TABS,
        "onward_here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "now": core().clock.now(),
    }


def _say(template: str, **params: object) -> str:
    """The template in the reader's language, filled in."""
    said = translate()(template)
    return said.format(**params) if params else said


def _word(context: str, value: str | None) -> str:
    return words()(context, value) if value else "—"


def _place_name(place: str) -> str:
    """The field of a form as people know it."""
    if ":" in place:
        return titles.scope(place.partition("@")[0])
    field, bracket, index = place.partition("[")
    return words()("field", field) + bracket + index


def _listed(names: Iterable[object]) -> str:
    """Names one after the other, as the reader's language writes them."""
    return ("、" if language() == "zh" else ", ").join(str(one) for one in names)


def _csrf_field() -> Markup:
    here = visit()
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, here.csrf if here else "")


def _may(right: str) -> bool:
    """Whether the person holds the right anywhere: for what the menu shows, never for what is allowed."""
    here = visit()
    if here is None:
        return False
    if right == DECIDES:
        return any(grant.role in _DECIDING for grant in here.actor.grants)
    return bool(here.actor.scopes(right))


def _pairs(rows: Iterable[Mapping[str, Any]], value: str, shown: str) -> list[tuple[Any, Any]]:
    """The options of a list: what is sent, and what is read."""
    return [(row[value], row[shown]) for row in rows]


def _plain_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
