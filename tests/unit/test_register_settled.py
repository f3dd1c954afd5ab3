"""Rows that are taken as they are: only those about which the rules have nothing to say."""

import json
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.register.fields import BY_NAME, CLASSIFIED_NAME, FIELDS, FieldKind, Value
from tenants.register.objections import Facts
from tenants.register.records import BLANK, details_of
from tenants.register.rules import AS_SAID, judge
from tenants.register.settled import settle
from tenants.register.stored import encoded_details, stored_rows, table_of
from tests.unit.test_register_rules import OFFICES, TODAY

DAYS = st.one_of(
    st.none(),
    st.dates(TODAY - timedelta(days=90), TODAY + timedelta(days=3)),
    st.dates(date(2020, 1, 1), date(2027, 1, 1)),
)
WORDS = st.sampled_from([None, "文号1", "文号2"])


def cell(name: str) -> st.SearchStrategy[Value]:
    """What a sheet may say in the column."""
    field = BY_NAME[name]
    if name == "name":
        return st.sampled_from([None, "预算系统", CLASSIFIED_NAME])
    if name == "department":
        return st.sampled_from([None, "gx-finance", "qx-edu"])
    if name == "division":
        return st.sampled_from([None, "450100", "450103"])
    if name == "category":
        return st.sampled_from([None, "业务应用", "政府网站"])
    if field.kind is FieldKind.SYSTEM:
        return st.sampled_from([None, None, None, "gx-a", "gx-b"])
    if field.kind is FieldKind.DATE:
        return DAYS
    if field.kind is FieldKind.INTEGER:
        return st.one_of(
            st.none() if BLANK[name] is None else st.nothing(), st.integers(field.least, field.most)
        )
    if field.kind is FieldKind.FLAG:
        return st.sampled_from([None, True, False]) if name in AS_SAID else st.booleans()
    if field.kind is FieldKind.CHOICE:
        empty = [None] if BLANK[name] is None or name in AS_SAID else []
        return st.sampled_from([*empty, *map(str, field.choices)])
    return WORDS


ROWS = st.fixed_dictionaries({field.name: cell(field.name) for field in FIELDS if field.name != "code"})
# Rows that come near to what is right: a system that has come all the way, with something else said of it.
WHOLE: dict[str, Value] = {
    **BLANK, "name": "预算系统", "department": "gx-finance", "stage": "done", "hosting": "gov_cloud",
    "decision_document": "文号", "decision_on": date(2026, 1, 1), "decision_reviewer": "周审",
    "assessed_on": date(2026, 2, 1), "plan_document": "文号", "planned_on": date(2026, 12, 1),
    "agreement": "full", "agreement_document": "文号", "agreed_on": date(2026, 3, 1),
    "migrating_from": date(2026, 4, 1), "trial_from": date(2026, 5, 1), "accepted_on": date(2026, 7, 1),
    "report_document": "文号", "done_on": date(2026, 8, 1),
}  # fmt: skip
CHANGED = st.lists(st.sampled_from([name for name in WHOLE if name != "code"]), max_size=3)
NEAR = CHANGED.flatmap(lambda names: st.fixed_dictionaries({name: cell(name) for name in names})).map(
    lambda changes: {**WHOLE, **changes}
)


def some_facts() -> Facts:
    return Facts(TODAY, OFFICES, {"gx-a", "gx-b"}.__contains__, {"gx-a": "gx-b"}.get)


@settings(max_examples=400)
@given(rows=st.lists(st.one_of(NEAR, ROWS), min_size=1, max_size=6))
def test_what_is_taken_as_it_is_is_what_the_rules_would_make_of_it(rows: list[dict[str, Value]]) -> None:
    sent = [{**row, "code": f"gx-new-{position}"} for position, row in enumerate(rows)]
    table = {name: list(values) for name, values in table_of(sent).items()}
    right = settle(table, range(len(sent)), some_facts())  # type: ignore[arg-type]
    for position in right:
        judged = judge(None, sent[position], some_facts())
        assert not judged.faults and not judged.warnings and judged.asks is None
        assert {name: values[position] for name, values in table.items()} == dict(judged.record)


def test_a_row_that_is_right_is_found_and_what_follows_is_filled_in() -> None:
    sent = [
        {**WHOLE, "code": "gx-new-0", "mlps_level": 3},
        {**WHOLE, "code": "gx-new-1", "accepted_on": date(2026, 5, 10)},
        {**WHOLE, "code": "gx-new-2", "done_on": TODAY + timedelta(days=1)},
        {**WHOLE, "code": "gx-new-3", "category": "政府网站"},
        {**BLANK, "code": "gx-new-4", "department": "gx-finance", "is_classified": True,
         "decision_document": "文号", "decision_on": date(2026, 1, 1), "decision_reviewer": "周审"},
    ]  # fmt: skip
    table = {name: list(values) for name, values in table_of(sent).items()}
    assert settle(table, range(5), some_facts()) == [0, 4]  # type: ignore[arg-type]
    assert (table["dr_tier"][0], table["name"][4]) == (2, CLASSIFIED_NAME)


@settings(max_examples=100)
@given(rows=st.lists(ROWS, max_size=4))
def test_rows_made_at_once_hold_what_each_would(rows: list[dict[str, Value]]) -> None:

    sent = [{**BLANK, **row, "code": f"gx-{position}"} for position, row in enumerate(rows)]
    table = table_of(sent)
    assert [json.loads(text) for text in encoded_details(table)] == [details_of(one) for one in sent]
    assert [row[0] for row in stored_rows(table)] == [one["code"] for one in sent]
