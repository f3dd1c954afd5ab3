"""A whole drill on the fake cloud, from the sentinels that were acknowledged to the signed report."""

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.secrets import Signer
from dr.drills.ends import Ending
from dr.plans.document import Sentinels
from dr.reports import page, sealing
from dr.reports.finishing import Finishing
from dr.sentinels.moments import Moments
from dr.sentinels.writing import Writing
from provisioning.drivers.fake_application import FakeApplication
from tests.flows import rehearsing
from tests.flows.protecting import CITY, protect


def test_a_drill_ends_with_a_report_that_counts_what_came_back(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dr.drafting.GIB", rehearsing.SMALL.gib_bytes)
    world = protect(core, clock, vault_sites=[CITY], sizes_gib=(1,), layout=rehearsing.SMALL)
    world = rehearsing.patient(world)
    url = "http://budget-vm2:80/sentinels"
    inside = rehearsing.set_up(world, sentinels=Sentinels(url, url))
    application = FakeApplication()
    moments = Moments(clock, "b", lambda: clock.now().timestamp())
    writing = Writing(core, lambda: application, lambda: b"k" * 32, moments)
    for index in range(4):
        if index == 3:
            world.back_up()  # three are in the point, the fourth is not
            inside.records = application.read(url)
        writing.tick(100.0 * index)
        writing.settle()
        clock.advance(10)
    writing.close()
    signer = Signer.of(core.settings.keys / "points.key")
    ending = Ending(Finishing(core.settings, signer, core.audit))
    row = rehearsing.work(world, rehearsing.begin(world), ending)
    report = row.report
    assert (row.state, row.verdict, report["verdict"], report["left_behind"]) == (
        "done",
        "passed",
        "passed",
        [],
    )
    loss = report["loss"]
    assert (loss["acked"], loss["found"], loss["missing"], loss["is_genuine"]) == (4, 3, 1, True)
    assert report["rpo_s"] == row.rpo_s >= 10
    assert report["rto_s"] == row.rto_s
    assert report["canary"]["is_cut_off"]
    assert {one["name"]: one["state"] for one in report["parts"]}["db"] == "answered"
    sealed = {"report": report, "sha256": row.report_sha256, "signature": row.signature}
    loaded = sealing.loaded(page.render(sealed).encode())
    assert loaded is not None
    assert sealing.faults_of(loaded, [signer.public]) == []
