"""Whether a system relies on the government cloud, without a database; and codes of certificates."""

import random
from dataclasses import replace
from datetime import date

import pytest

from cloudctl.lifecycle import MigrationStage
from tenants.migration.gate_code import ALPHABET, RANDOM, check_character, grouped, new_code, read_code
from tenants.migration.gate_verdict import GateFacts, GateVerdict, answer, months_after

TODAY = date(2026, 11, 21)
AHEAD, OVER = date(2027, 2, 1), date(2026, 11, 20)
STAGE = MigrationStage
RUNS = {"省级政务云": 3}
AGREED = GateFacts(
    STAGE.AGREED, agreement="full", agreement_document="协议8号", agreed_on=date(2026, 5, 1), planned_on=AHEAD
)


def says(facts: GateFacts) -> tuple[GateVerdict, list[str]]:
    found = answer(facts, TODAY)
    return found.verdict, [reason.code for reason in found.reasons]


# -- relies


@pytest.mark.parametrize("stage", [STAGE.TRIAL, STAGE.ACCEPTED, STAGE.DONE])
def test_what_runs_and_has_been_cut_over_relies(stage: MigrationStage) -> None:
    facts = GateFacts(stage, hosting="gov_cloud", servers=RUNS, trial_from=date(2026, 8, 1))
    assert says(facts) == (GateVerdict.RELIES, ["running", "trial"])
    accepted = replace(facts, accepted_on=date(2026, 10, 1), report_document="确认1号")
    assert says(accepted) == (GateVerdict.RELIES, ["running", "accepted"])
    assert answer(accepted, TODAY).reasons[0].text() == "3 servers of it run on the cloud 省级政务云"


def test_a_new_system_that_runs_on_the_cloud_relies_without_a_migration() -> None:
    facts = GateFacts(STAGE.REGISTERED, hosting="gov_cloud", servers=RUNS)
    assert says(facts) == (GateVerdict.RELIES, ["running"])


@pytest.mark.parametrize("stage", [STAGE.ACCEPTED, STAGE.DONE])
def test_what_was_accepted_on_paper_and_does_not_run_does_not_rely(stage: MigrationStage) -> None:
    facts = GateFacts(stage, hosting="gov_cloud", agreement="full", accepted_on=date(2026, 10, 1))
    assert says(facts) == (GateVerdict.DOES_NOT_RELY, ["nothing_runs", "on_paper"])


def test_servers_of_a_system_that_is_hosted_elsewhere_do_not_make_it_rely() -> None:
    facts = GateFacts(STAGE.REGISTERED, hosting="own_room", servers=RUNS)
    assert says(facts) == (GateVerdict.DOES_NOT_RELY, ["hosted_elsewhere", "no_agreement"])


@pytest.mark.parametrize("life_state", ["retired", "merged"])
def test_what_is_no_longer_in_use_does_not_rely(life_state: str) -> None:
    facts = GateFacts(STAGE.RETIRED, life_state=life_state, hosting="gov_cloud", servers=RUNS)
    assert says(facts) == (GateVerdict.DOES_NOT_RELY, ["ended"])


# -- committed


@pytest.mark.parametrize("stage", [STAGE.AGREED, STAGE.MIGRATING])
def test_an_agreement_binds_until_its_day(stage: MigrationStage) -> None:
    assert says(replace(AGREED, stage=stage)) == (GateVerdict.COMMITTED, ["agreement"])
    assert says(replace(AGREED, stage=stage, planned_on=TODAY))[0] is GateVerdict.COMMITTED
    assert says(replace(AGREED, stage=stage, planned_on=OVER)) == (
        GateVerdict.DOES_NOT_RELY,
        ["nothing_runs", "overdue"],
    )
    assert says(replace(AGREED, stage=stage, planned_on=None))[0] is GateVerdict.DOES_NOT_RELY


def test_an_agreement_that_a_stage_has_not_reached_binds_nobody() -> None:
    assert says(replace(AGREED, stage=STAGE.PLANNED))[0] is GateVerdict.DOES_NOT_RELY


def test_a_partial_agreement_is_told_as_one() -> None:
    whole, part = answer(AGREED, TODAY), answer(replace(AGREED, agreement="partial"), TODAY)
    assert whole.reasons[0].text() == "it is agreed to move wholly by 2027-02-01 (协议8号)"
    assert part.reasons[0].text() == "it is agreed to move in part by 2027-02-01 (协议8号)"


def test_a_running_wave_and_an_approved_request_bind_too() -> None:
    wave = GateFacts(STAGE.PLANNED, waves={"第一批": AHEAD, "旧批": OVER})
    assert says(wave) == (GateVerdict.COMMITTED, ["wave"])
    assert says(replace(wave, waves={"旧批": OVER}))[0] is GateVerdict.DOES_NOT_RELY
    request = GateFacts(STAGE.REGISTERED, life_state="planned", building={7: "省级政务云"})
    assert says(request) == (GateVerdict.COMMITTED, ["request"])


# -- exempt


def test_an_exemption_counts_on_its_last_day_and_not_after() -> None:
    facts = GateFacts(STAGE.EXEMPT, exempt_clause="第十二条", exempt_document="9号", exempt_until=TODAY)
    assert says(facts) == (GateVerdict.EXEMPT, ["exempt"])
    assert says(replace(facts, exempt_until=OVER)) == (
        GateVerdict.DOES_NOT_RELY,
        ["nothing_runs", "exemption_over", "no_agreement"],
    )
    assert says(replace(facts, exempt_until=None))[0] is GateVerdict.DOES_NOT_RELY


def test_every_reason_is_said_with_its_days_and_documents() -> None:
    def words(facts: GateFacts) -> list[str]:
        return [reason.text() for reason in answer(facts, TODAY).reasons]

    done = GateFacts(
        STAGE.DONE, hosting="gov_cloud", servers=RUNS, accepted_on=OVER, report_document="确认1号"
    )
    assert words(done)[1] == "its migration was accepted on 2026-11-20 (确认1号)"
    assert words(replace(done, report_document=None, trial_from=OVER))[1] == (
        "it is in its trial run since 2026-11-20"
    )
    assert words(replace(done, servers={}, planned_on=OVER)) == [
        "no server of it runs on a government cloud",
        "it was accepted, and nothing of it is to be found",
        "there is no agreement to move it",
    ]
    assert words(replace(done, life_state="retired")) == ["it is no longer in use"]
    exempt = GateFacts(STAGE.EXEMPT, exempt_clause="第十二条", exempt_document="9号", exempt_until=AHEAD)
    assert words(exempt) == ["by 第十二条 it need not move until 2027-02-01 (9号)"]
    assert words(replace(exempt, exempt_until=OVER))[1] == "its exemption ended on 2026-11-20"
    bound = replace(AGREED, waves={"第一批": AHEAD}, building={7: "省级政务云"})
    assert words(bound)[1:] == [
        "it moves with the wave 第一批 by 2027-02-01",
        "request 7 for it is approved and being made on the cloud 省级政务云",
    ]
    assert words(replace(AGREED, planned_on=OVER)) == [
        "no server of it runs on a government cloud",
        "the day by which it was to move is over: 2026-11-20",
    ]
    assert words(GateFacts(STAGE.AGREED, servers=RUNS)) == [
        "servers of it run on a cloud, but it is registered as hosted elsewhere",
        "there is no agreement to move it",
    ]


# -- how long


def test_a_certificate_holds_half_a_year_and_never_longer_than_its_reason() -> None:
    half_a_year = date(2027, 5, 21)
    assert answer(GateFacts(STAGE.DONE, hosting="gov_cloud", servers=RUNS), TODAY).valid_until == half_a_year
    assert answer(GateFacts(STAGE.REGISTERED), TODAY).valid_until == half_a_year
    assert answer(AGREED, TODAY).valid_until == AHEAD
    assert answer(replace(AGREED, planned_on=date(2029, 1, 1)), TODAY).valid_until == half_a_year
    assert answer(replace(AGREED, waves={"第一批": date(2027, 3, 1)}), TODAY).valid_until == date(2027, 3, 1)
    exempt = GateFacts(STAGE.EXEMPT, exempt_until=date(2026, 12, 1))
    assert answer(exempt, TODAY).valid_until == date(2026, 12, 1)
    assert answer(replace(exempt, exempt_until=date(2029, 1, 1)), TODAY).valid_until == half_a_year


@pytest.mark.parametrize(
    ("day", "months", "after"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 6, 30), 6, date(2026, 12, 30)),
        (date(2026, 1, 1), 12, date(2027, 1, 1)),
    ],
)
def test_months_after_a_day_end_with_the_month(day: date, months: int, after: date) -> None:
    assert months_after(day, months) == after


# -- codes


def a_code(seed: int) -> str:
    chance = random.Random(seed)
    return new_code(chance.choice)


def test_a_code_is_long_and_no_two_are_alike() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert {len(code) for code in codes} == {28}
    assert len(ALPHABET) == 31, "a prime, so that slips are noticed"
    assert not set("01ILO") & set(ALPHABET)


def test_a_code_is_read_however_it_was_typed() -> None:
    code = a_code(1)
    assert grouped(code).count("-") == 6
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code)
    for typed in (code, grouped(code), grouped(code).lower(), f" {grouped(code).replace('-', ' ')}\n", wide):
        assert read_code(typed) == code


@pytest.mark.parametrize("seed", range(5))
def test_every_single_slip_and_every_swap_is_noticed(seed: int) -> None:
    code = a_code(seed)
    for place in range(len(code)):
        for letter in ALPHABET:
            if letter != code[place]:
                assert read_code(code[:place] + letter + code[place + 1 :]) is None
    for place in range(len(code) - 1):
        a, b = code[place], code[place + 1]
        if a != b:
            assert read_code(code[:place] + b + a + code[place + 2 :]) is None


@pytest.mark.parametrize(
    "text", ["", "no-such", "7" * 27, "7" * 29, "I" * 28, "证" * 28, "\0" * 28, "7" * 10_000]
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert read_code(text) is None


def test_the_check_character_depends_on_every_place() -> None:
    body = "2" * RANDOM
    assert check_character(body) == "2"
    changed = {check_character(body[:place] + "3" + body[place + 1 :]) for place in range(RANDOM)}
    assert len(changed) == RANDOM
