"""The rate of migration: what counts, what is left out, what is proved, and sums no rounding can talk up."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.migration.rates import (
    Answer,
    Facts,
    Reason,
    Tally,
    Verdict,
    evidence,
    judge,
    percent,
    percent_text,
    ranked,
    rate_of,
    reaches,
    still_to_move,
    systems_text,
    total,
)
from tenants.migration.rule import DEFAULT, CentrallyBuilt, Classified, Exempt, ProvedBackup

HERE = Facts(level="city", life_state="in_use")
MOVED = replace(HERE, stage="accepted", hosting="gov_cloud")
PROVED = replace(MOVED, is_old_host_off=True, has_run_long=True)


def rule(**switches: Any) -> Any:
    return replace(DEFAULT, **switches)


# -- the denominator


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"level": "province"}, None),
        ({"level": "county"}, Reason.OTHER_LEVEL),
        ({"level": "national"}, Reason.OTHER_LEVEL),
        ({"life_state": "planned"}, Reason.NOT_YET),
        ({"life_state": "building"}, Reason.NOT_YET),
        ({"life_state": "suspended"}, Reason.SUSPENDED),
        ({"life_state": "retired"}, Reason.RETIRED),
        ({"life_state": "merged"}, Reason.MERGED),
        ({"is_classified": True, "has_decision": True}, Reason.CLASSIFIED),
        ({"is_classified": True}, None),
        ({"has_decision": True}, None),
        ({"is_centrally_built": True}, Reason.CENTRALLY_BUILT),
        ({"is_exempt": True}, Reason.EXEMPT),
    ],
)
def test_the_denominator_is_what_should_have_moved(changes: dict[str, Any], reason: Reason | None) -> None:
    assert judge(replace(HERE, **changes), DEFAULT) == Verdict(reason)


@pytest.mark.parametrize(
    ("switches", "changes", "reason"),
    [
        ({"classified": Classified.ALWAYS}, {"is_classified": True}, Reason.CLASSIFIED),
        ({"classified": Classified.NEVER}, {"is_classified": True, "has_decision": True}, None),
        ({"classified": Classified.ALWAYS}, {"has_decision": True}, None),
        ({"exempt": Exempt.NEVER}, {"is_exempt": True}, None),
        ({"centrally_built": CentrallyBuilt.COUNTED}, {"is_centrally_built": True}, None),
        ({"levels": ("county",)}, {"level": "county"}, None),
        ({"levels": ("county",)}, {}, Reason.OTHER_LEVEL),
        ({"life_states": ("in_use", "suspended")}, {"life_state": "suspended"}, None),
    ],
)
def test_every_switch_of_the_denominator_switches(
    switches: dict[str, Any], changes: dict[str, Any], reason: Reason | None
) -> None:
    assert judge(replace(HERE, **changes), rule(**switches)).reason == reason


def test_a_system_is_left_out_for_one_reason_what_ended_before_what_was_decided() -> None:
    everything = replace(
        HERE, life_state="retired", level="county", is_classified=True, has_decision=True,
        is_centrally_built=True, is_exempt=True,
    )  # fmt: skip
    in_order = []
    for changes in (
        {"life_state": "in_use"},
        {"level": "city"},
        {"is_classified": False},
        {"is_centrally_built": False},
        {"is_exempt": False},
    ):
        in_order.append(judge(everything, DEFAULT).reason)
        everything = replace(everything, **changes)
    assert in_order == [
        Reason.RETIRED, Reason.OTHER_LEVEL, Reason.CLASSIFIED, Reason.CENTRALLY_BUILT, Reason.EXEMPT,
    ]  # fmt: skip


# -- the numerator


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({}, 100),
        ({"stage": "done"}, 100),
        ({"stage": "trial"}, 0),
        ({"stage": "registered"}, 0),
        ({"hosting": "colocation"}, 0),
        ({"hosting": "industry_cloud"}, 0),
        ({"is_partial": True}, 0),
        ({"life_state": "retired"}, 0),
    ],
)
def test_only_what_was_accepted_on_a_recognised_cloud_has_moved(changes: dict[str, Any], weight: int) -> None:
    assert judge(replace(MOVED, **changes), DEFAULT).weight_hundredths == weight


@pytest.mark.parametrize(
    ("switches", "changes", "weight"),
    [
        ({"stages": ("trial",)}, {"stage": "trial"}, 100),
        ({"stages": ("trial",)}, {}, 0),
        ({"hosted_on": ("industry_cloud",)}, {"hosting": "industry_cloud"}, 100),
        ({"partial_weight_hundredths": 50}, {"is_partial": True}, 50),
        ({"partial_weight_hundredths": 50}, {}, 100),
    ],
)
def test_every_switch_of_the_numerator_switches(
    switches: dict[str, Any], changes: dict[str, Any], weight: int
) -> None:
    assert judge(replace(MOVED, **changes), rule(**switches)).weight_hundredths == weight


# -- evidence


@pytest.mark.parametrize(
    ("changes", "verified"),
    [
        ({}, Answer.YES),
        ({"has_run_long": False}, Answer.NO),
        ({"has_run_long": False, "may_have_run_long": True}, Answer.UNKNOWN),
        ({"has_run_long": False, "is_unseen": True}, Answer.UNKNOWN),
        ({"is_unseen": True, "may_have_run_long": True}, Answer.YES),
        ({"is_old_host_off": False}, Answer.NO),
        ({"is_old_host_off": False, "is_new": True}, Answer.YES),
        ({"wants_backup": True}, Answer.UNKNOWN),
        ({"wants_backup": True, "is_old_host_off": False}, Answer.NO),
        ({"has_run_long": False, "is_unseen": True, "is_old_host_off": False}, Answer.NO),
    ],
)
def test_verified_is_yes_only_when_all_that_is_asked_is_proved(
    changes: dict[str, Any], verified: Answer
) -> None:
    assert judge(replace(PROVED, **changes), DEFAULT).verified == verified


def test_evidence_that_cannot_be_had_yet_is_never_yes() -> None:
    asked = replace(PROVED, wants_backup=True)
    assert evidence(asked, DEFAULT) == [
        ("live", Answer.YES),
        ("old_host_off", Answer.YES),
        ("proved_backup", Answer.UNKNOWN),
    ]
    assert evidence(asked, rule(proved_backup=ProvedBackup.NOT_ASKED))[-1] == ("old_host_off", Answer.YES)
    assert evidence(replace(asked, is_new=True), DEFAULT)[1][0] == "proved_backup"
    assert evidence(asked, rule(old_host_off=False))[1:] == [("proved_backup", Answer.UNKNOWN)]
    assert evidence(replace(PROVED, is_old_host_off=False), DEFAULT)[1] == ("old_host_off", Answer.NO)


def test_what_counts_as_moved_and_stands_still_is_named_idle() -> None:
    idle = replace(MOVED, has_stood_still=True)
    assert judge(idle, DEFAULT) == Verdict(None, 100, Answer.NO, is_idle=True)
    assert not judge(PROVED, DEFAULT).is_idle
    assert not judge(replace(idle, stage="trial"), DEFAULT).is_idle, "it does not claim to have moved"


def test_nothing_is_asked_of_a_system_that_has_not_moved() -> None:
    assert judge(HERE, DEFAULT) == Verdict(None, 0, None, is_idle=False)
    assert judge(replace(PROVED, is_exempt=True), DEFAULT) == Verdict(Reason.EXEMPT)


# -- tallies


def test_a_tally_counts_weights_answers_and_reasons() -> None:
    assert Tally.of(Verdict(Reason.EXEMPT), 3) == Tally(registered=3, excluded={"exempt": 3})
    assert Tally.of(Verdict(None)) == Tally(registered=1, denominator=1)
    assert Tally.of(Verdict(None, 50, Answer.YES), 3) == Tally(3, 3, 150, 150)
    assert Tally.of(Verdict(None, 100, Answer.UNKNOWN, is_idle=True), 2) == Tally(2, 2, 200, 0, 2, 2)
    assert Tally.of(Verdict(None, 100, Answer.NO), 2) == Tally(2, 2, 200)


def test_many_verdicts_are_counted_together() -> None:
    """In any order, what is left out among them."""
    found = Tally.counted(
        {
            Verdict(Reason.RETIRED): 7,
            Verdict(None, 100, Answer.YES): 5,
            Verdict(None, 50, Answer.YES, is_idle=True): 4,
            Verdict(Reason.EXEMPT): 3,
            Verdict(None, 100, Answer.UNKNOWN): 2,
            Verdict(None, 50, Answer.UNKNOWN, is_idle=True): 6,
            Verdict(None): 1,
        }
    )
    assert found == Tally(28, 18, 1200, 700, 8, 10, {"retired": 7, "exempt": 3})


def test_tallies_add_up_reason_by_reason() -> None:
    one = Tally(5, 2, 100, 50, 1, 3, {"exempt": 2, "retired": 1})
    other = Tally(10, 6, 300, 200, 4, 5, {"exempt": 3, "merged": 1})
    assert one + other == Tally(15, 8, 400, 250, 5, 8, {"exempt": 5, "merged": 1, "retired": 1})
    assert total([one, other]) == one + other
    assert total([]) == Tally()


def test_what_is_left_out_is_counted_by_reason() -> None:
    tally = Tally(excluded={"exempt": 2, "retired": 5})
    assert tally.left_out([Reason.EXEMPT, Reason.CLASSIFIED]) == 2
    assert tally.left_out([Reason.EXEMPT, Reason.RETIRED]) == 7


# -- rates


def test_94_996_does_not_reach_95_and_never_shows_as_95() -> None:
    assert percent(94_996 * 100, 100_000) == "94.99"
    assert reaches(94_996 * 100, 100_000, 9500) is False
    assert still_to_move(94_996 * 100, 100_000, 9500) == 4
    assert reaches(95_000 * 100, 100_000, 9500) is True
    assert still_to_move(95_000 * 100, 100_000, 9500) == 0


def test_an_empty_denominator_has_no_rate_and_reaches_nothing() -> None:
    assert percent(0, 0) is None
    assert rate_of(0, 0) is None
    assert reaches(0, 0, 9500) is None


@pytest.mark.parametrize(
    ("hundredths", "denominator", "text"),
    [(0, 7, "0.00"), (700, 7, "100.00"), (200, 3, "66.66"), (100, 2000, "0.05"), (1250, 100, "12.50")],
)
def test_rates_are_rounded_down(hundredths: int, denominator: int, text: str) -> None:
    assert percent(hundredths, denominator) == text


def test_percentages_have_two_decimals_and_a_sign() -> None:
    assert [percent_text(n) for n in (9500, 5, 10_000, -150, 0)] == [
        "95.00", "0.05", "100.00", "-1.50", "0.00",
    ]  # fmt: skip


def test_weighted_numbers_show_their_hundredths_only_when_there_are_any() -> None:
    assert [repr(systems_text(n)) for n in (0, 1200, 1250, 1205)] == ["0", "12", "'12.50'", "'12.05'"]


@pytest.mark.parametrize(
    ("hundredths", "denominator", "value", "systems"),
    [(0, 10, 9500, 10), (900, 10, 9000, 0), (900, 10, 9001, 1), (850, 10, 9000, 1), (0, 10, 10, 1)],
)
def test_how_many_must_move_is_whole_systems(
    hundredths: int, denominator: int, value: int, systems: int
) -> None:
    assert still_to_move(hundredths, denominator, value) == systems


COUNTS = st.integers(1, 300_000).flatmap(lambda d: st.tuples(st.integers(0, 100 * d), st.just(d)))


@given(COUNTS, st.integers(0, 10_000))
def test_no_rate_is_shown_as_reached_that_is_not(counts: tuple[int, int], value: int) -> None:
    hundredths, denominator = counts
    shown = percent(hundredths, denominator)
    assert shown is not None
    is_shown_reached = Fraction(shown) * 100 >= value
    assert is_shown_reached == reaches(hundredths, denominator, value)
    assert is_shown_reached == (Fraction(hundredths, denominator) * 100 >= value)
    assert Fraction(shown) <= Fraction(hundredths, denominator) < Fraction(shown) + Fraction(1, 100)


@given(COUNTS, st.integers(0, 10_000))
def test_what_is_still_to_move_reaches_the_value_and_one_fewer_does_not(
    counts: tuple[int, int], value: int
) -> None:
    hundredths, denominator = counts
    more = still_to_move(hundredths, denominator, value)
    assert reaches(hundredths + 100 * more, denominator, value)
    assert more == 0 or not reaches(hundredths + 100 * (more - 1), denominator, value)


FACTS = st.builds(
    Facts,
    level=st.sampled_from(["national", "province", "city", "county"]),
    life_state=st.sampled_from(["planned", "building", "in_use", "suspended", "retired", "merged"]),
    stage=st.sampled_from(["registered", "trial", "accepted", "done", "exempt"]),
    hosting=st.sampled_from(["own_room", "gov_cloud", "industry_cloud"]),
)


@given(st.lists(FACTS, max_size=30))
def test_the_pooled_tally_is_the_sum_of_any_parts(systems: list[Facts]) -> None:
    verdicts = [judge(one, DEFAULT) for one in systems]
    pooled = total(Tally.of(one) for one in verdicts)
    cut = len(verdicts) // 2
    parts = [total(Tally.of(one) for one in part) for part in (verdicts[:cut], verdicts[cut:])]
    assert parts[0] + parts[1] == pooled
    assert pooled.registered == pooled.denominator + sum(pooled.excluded.values()) == len(systems)
    assert 0 <= pooled.verified_hundredths <= pooled.numerator_hundredths <= 100 * pooled.denominator


@given(st.lists(FACTS, max_size=20), FACTS)
def test_a_system_that_does_not_count_changes_no_rate(systems: list[Facts], other: Facts) -> None:
    before = total(Tally.of(judge(one, DEFAULT)) for one in systems)
    verdict = judge(other, DEFAULT)
    after = before + Tally.of(verdict)
    same = (before.numerator_hundredths, before.denominator) == (
        after.numerator_hundredths,
        after.denominator,
    )
    assert same == (verdict.reason is not None)


@given(FACTS, st.integers(1, 50))
def test_judging_a_kind_once_is_judging_each_of_it(one: Facts, systems: int) -> None:
    verdict = judge(one, DEFAULT)
    assert Tally.of(verdict, systems) == total(Tally.of(verdict) for _ in range(systems))


# -- ranking


def counted(n: int, d: int) -> Tally:
    return Tally(registered=d, denominator=d, numerator_hundredths=n * 100)


def test_ranks_are_by_exact_rate_then_code_with_equal_rates_sharing_one() -> None:
    tallies = {
        "450300": counted(1, 2),
        "450100": counted(2, 4),
        "450200": counted(94_996, 100_000),
        "450400": counted(94_997, 100_000),
        "450500": Tally(registered=3),
        "450600": counted(0, 5),
        "450050": Tally(),
    }
    assert ranked(tallies) == [
        (1, "450400"), (2, "450200"), (3, "450100"), (3, "450300"), (5, "450600"),
        (None, "450050"), (None, "450500"),
    ]  # fmt: skip
    assert percent(94_996 * 100, 100_000) == percent(94_997 * 100, 100_000), "rounded, they look alike"


def test_rates_a_hair_apart_have_two_ranks_and_the_first_rank_is_1() -> None:
    low = Tally(1, 299_999_977, 18_149_998_609)
    high = Tally(1, 299_999_975, 18_149_998_488)  # more by the smallest possible difference
    assert ranked({"1": low, "2": high}) == [(1, "2"), (2, "1")]
    assert ranked({"1": Tally(1, 1, 1)}) == [(1, "1")]
    assert ranked({}) == []


@given(st.dictionaries(st.text("0123", min_size=1, max_size=4), COUNTS, max_size=8))
def test_integers_rank_as_fractions_do(counts: dict[str, tuple[int, int]]) -> None:
    tallies = {key: Tally(d, d, n) for key, (n, d) in counts.items()}
    fractions = {key: Fraction(n, d) for key, (n, d) in counts.items()}
    expected = [
        (1 + sum(other > fractions[key] for other in fractions.values()), key)
        for key in sorted(fractions, key=lambda key: (-fractions[key], key))
    ]
    assert ranked(tallies) == expected
