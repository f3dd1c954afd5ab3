"""The probe reads sentinels in an isolated clone: in whatever form the application gives them back."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.isolated import probe_script
from dr.isolated.checks import Check, from_json
from dr.plans.document import Sentinels
from dr.sentinels import answers, found, reading
from dr.sentinels.record import Moment, Sentinel

AT = Moment(datetime(2026, 11, 26, 8, 0, tzinfo=UTC), 5.0)
BODIES = [Sentinel("pay", "w1", seq, AT).coded(b"k").body().decode() for seq in (1, 2, 3, 7)]
RECORDS = {("w1", row["seq"], row["code"]) for row in map(json.loads, BODIES)}


@pytest.mark.parametrize(
    "text",
    [
        f"[{','.join(BODIES)}]",
        json.dumps({"notes": [{"id": number, "text": body} for number, body in enumerate(BODIES)]}),
        "\n".join([*BODIES, "a line of somebody else"]),
        json.dumps({"rows": [*map(json.loads, BODIES), {"format": "other"}, "cloudctl-sentinel-1 {"]}),
    ],
)
def test_sentinels_are_found_in_whatever_the_application_answers(text: str) -> None:
    assert probe_script.sentinels(text) == RECORDS
    seen = answers.of_answer(text)
    assert seen == found.of_words(probe_script.summary(RECORDS))
    assert seen.spans == {"w1": ((1, 3), (7, 7))}


@given(st.sets(st.tuples(st.sampled_from(("a1", "b2")), st.integers(1, 5000)), max_size=300))
def test_the_line_of_the_probe_says_what_was_read(keys: set[tuple[str, int]]) -> None:
    records = {(*key, f"c{key[1]}") for key in keys}
    assert found.of_words(probe_script.summary(records)) == found.of_records(records)


def test_of_too_many_holes_the_newest_are_told_and_that_some_are_left_out() -> None:
    records = {("w1", 2 * seq, "c") for seq in range(1, 20_001)}
    seen = found.of_words(probe_script.summary(records))
    assert seen is not None
    assert (seen.is_whole, seen.count) == (False, 20_000)
    assert seen.has("w1", 40_000)


class Notes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"[{','.join(BODIES)}]".encode()
        self.send_response(200 if self.path == "/notes?all=1" else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def ask(check: Check) -> tuple[bool, str]:
    task = {
        "servers": [],
        "forbidden": [],
        "checks": [{"id": "q", "address": "127.0.0.1", **check.as_json()}],
    }
    passed, saw = probe_script.look(probe_script.Network(), task)["checks"]["q"]
    return passed, saw


def test_a_round_of_the_probe_brings_them_back(port: int) -> None:
    wanted = Sentinels("http://web1/notes", f"http://web1:{port}/notes?all=1")
    check = reading.check_of(wanted, ["db1", "Web1"])
    assert (check.server, check.port) == ("Web1", port)
    report = {f"{check.name}@10.0.0.9": ask(check), "tcp://db1:5432@10.0.0.8": (True, "open")}
    seen = reading.of_checks(report)
    assert seen is not None
    assert seen.count == 4
    missing = reading.check_of(Sentinels("http://web1/notes", f"http://elsewhere:{port}/nothing"), ["web1"])
    assert missing.server == ""
    assert ask(missing) == (False, "404")
    assert reading.of_checks({f"{missing.name}@10.0.0.9": ask(missing)}) is None


def test_the_question_survives_being_kept() -> None:
    check = reading.check_of(Sentinels("https://web1/s", "https://web1/s"), ["web1"])
    assert (check.kind, check.port, check.path) == ("sentinels+https", 443, "/s")
    assert from_json([check.as_json()]) == (check,)
