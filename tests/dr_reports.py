"""Values of a drill and of a move, as reports are made of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.isolated.checks import Check
from dr.plans.document import Document, Part, Sentinels, Steering, Way
from dr.reports.assembling import Canary, CheckTold, Event, Given, PartTold, Place, Word
from dr.reports.recovery_time import SEGMENTS, Span, measure
from dr.reports.statistics import Try
from dr.sentinels.loss import Loss

BEGUN = datetime(2026, 11, 26, 2, 10, tzinfo=UTC)


def a_document(**values: Any) -> Document:
    """A plan of two parts whose data comes from recovery points."""
    made = Document(
        name="finance-budget",
        system="gx-finance-budget",
        home="province",
        recovery="city-1",
        rpo_s=900,
        rto_s=1800,
        parts=(
            Part("database", ("db1",), (), Way.POINTS, checks=(Check("postgresql", 5432),)),
            Part("web", ("web1", "web2"), ("database",), Way.NONE, checks=(Check("http", 80),)),
        ),
        steering=Steering("budget.gx.example.", 30, {"province": ("10.1.0.5",), "city-1": ("10.2.0.5",)}),
        sentinels=Sentinels("http://web1/notes", "http://web1/notes"),
    )
    return replace(made, **values)


def a_loss(**values: Any) -> Loss:
    """Eight of 412 acknowledged records did not come back."""
    made = Loss(rpo_s=84.2, least_s=74.1, clock_bound_s=0.1, acked=412, found=404, missing=8, holes=0,
                resurrected=1, newest=404, is_genuine=True)  # fmt: skip
    return replace(made, **values)


def a_drill(**values: Any) -> Given:
    """A drill that passed."""
    document = values.pop("document", a_document())
    spans = [
        Span("restore", 0.0, 96.4),
        Span("probe", 96.4, 96.9),
        Span("boot", 96.9, 121.3),
        Span("boot", 131.0, 149.2),
        Span("app_ready", 121.3, 130.5),
        Span("app_ready", 149.2, 171.0),
        Span("verified", 171.0, 173.6),
    ]
    states = [("precheck", 0.0), ("isolated", 4.1), ("cloned", 96.4), ("starting", 96.9),
              ("validating", 171.2), ("verified", 173.6), ("cleaning", 174.0)]  # fmt: skip
    parts = [
        PartTold("database", "answered", 96.9, 121.3, 130.5),
        PartTold("web", "answered", 131.0, 149.2, 171.0),
    ]
    lines = [Event(BEGUN + timedelta(seconds=at_s), what, at_s=at_s) for what, at_s in states]
    lines += [
        Event(BEGUN + timedelta(seconds=at_s), what, one.name, at_s)
        for one in parts
        for what, at_s in (("begun", one.begun_s), ("active", one.active_s), ("answered", one.answered_s))
        if at_s is not None
    ]
    made = Given(
        kind="drill",
        number=12,
        document=document,
        plan_sha256=document.sha256,
        system=Place("gx-finance-budget", "自治区财政厅预算管理一体化系统"),
        home=Place("province", "自治区政务云"),
        target=Place("city-1", "南宁市政务云"),
        verdict="passed",
        why="",
        begun_at=BEGUN,
        ended_at=BEGUN + timedelta(seconds=201),
        by="dora",
        reason="第四季度例行演练",
        fault_at=BEGUN,
        point={"id": "5f0c2a11b7d94c0e8a55", "sequence": 31, "level": "L2",
               "taken_at": (BEGUN - timedelta(seconds=82)).isoformat()},
        point_age_s=82.0,
        loss=a_loss(),
        time=measure(spans, fault_s=0.0),
        tries=[Try(201.5), Try(188.0), Try(900.0, is_censored=True), Try(173.6)],
        losses=[Try(60.0), Try(121.0)],
        parts=parts,
        checks=[
            CheckTold("postgresql://db1:5432@10.1.0.4", True, "asks who is there"),
            CheckTold("http://web1:80/health@10.1.0.5", True, '200 {"notes": 404}'),
        ],
        canary=Canary(("192.0.2.1:5000", "10.1.0.1", "10.2.0.1")),
        timeline=lines,
        versions={"cloudctl": "0.1.0"},
    )  # fmt: skip
    return replace(made, **values)


def a_move(**values: Any) -> Given:
    """An unplanned move that went well."""
    spans = [Span("decide", 0.0, 61.0), Span("fence", 61.0, 99.0), Span("restore", 99.0, 190.0),
             Span("boot", 190.0, 222.0), Span("app_ready", 222.0, 240.0), Span("traffic", 240.0, 251.0),
             Span("verified", 251.0, 251.0)]  # fmt: skip
    return a_drill(
        kind="failover",
        number=3,
        move="unplanned",
        time=measure(spans, [one for one in SEGMENTS if one != "detect"], fault_s=0.0),
        is_one_clock=False,
        canary=None,
        loss=None,
        timeline=[Event(BEGUN, "requested"), Event(BEGUN + timedelta(seconds=251), "shifted")],
        words=[Word("dave", "cloud_admin", BEGUN, "同意"), Word("petra", "province_admin", BEGUN)],
        fence={"rung": "lease"},
        reason="省级节点机房断电",
        **values,
    )
