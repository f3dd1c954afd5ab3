"""Rules of counting as they are kept: versions that never change, one of them in use."""

from dataclasses import replace

import pytest

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound
from cloudctl.models import AuditEvent, StatisticalRule
from tenants.migration import rules, snapshots
from tenants.migration.rule import DEFAULT, as_document
from tests.builders import a_province, an_actor

ONE = replace(DEFAULT, name="gx", title="一")
OTHER = replace(ONE, live_days=7)


@pytest.fixture
def dave(core: Core) -> Actor:
    a_province(core)
    return an_actor(core, "dave")


def states(core: Core, actor: Actor) -> list[tuple[str, str]]:
    return [(row["id"], row["state"]) for row in rules.list_rules(core, actor)]


def test_until_a_rule_is_applied_the_built_in_one_counts(core: Core, dave: Actor) -> None:
    assert states(core, dave) == [("default@1", "current")]
    shown = rules.show_rule(core, dave)
    assert (shown["id"], shown["document"]) == ("default@1", as_document(DEFAULT))
    with core.store.read() as uow:
        assert uow.count(StatisticalRule) == 0


def test_the_first_that_is_applied_counts_and_later_ones_only_when_asked(core: Core, dave: Actor) -> None:
    assert rules.apply(core, dave, ONE)["state"] == "current"
    assert rules.apply(core, dave, OTHER)["id"] == "gx@2"
    assert states(core, dave) == [("default@1", "stored"), ("gx@2", "stored"), ("gx@1", "current")]
    assert rules.apply(core, dave, replace(ONE, live_days=8), use=True)["state"] == "current"
    assert states(core, dave)[1:] == [("gx@3", "current"), ("gx@2", "stored"), ("gx@1", "stored")]


def test_the_same_document_again_is_the_version_there_is(core: Core, dave: Actor) -> None:
    rules.apply(core, dave, ONE)
    assert rules.apply(core, dave, ONE)["id"] == "gx@1"
    rules.apply(core, dave, OTHER)
    assert rules.apply(core, dave, OTHER, use=True)["id"] == "gx@2"
    assert rules.apply(core, dave, ONE)["id"] == "gx@3", "back again is a new version: the order is kept"


def test_a_rule_is_named_with_its_version_or_is_its_newest(core: Core, dave: Actor) -> None:
    rules.apply(core, dave, ONE)
    rules.apply(core, dave, OTHER)
    assert rules.show_rule(core, dave, "gx")["id"] == "gx@2"
    assert rules.show_rule(core, dave, "gx@1")["document"]["live_days"] == 30
    assert rules.use(core, dave, "gx@2")["state"] == "current"
    assert rules.use(core, dave, "gx@2")["state"] == "current", "again changes nothing"
    for key in ("gx@3", "gx@", "gx@one", "gx@999999999999", "xx"):
        with pytest.raises(NotFound, match=r"known: default@1, gx@2, gx@1"):
            rules.use(core, dave, key)


def test_one_can_go_back_to_the_built_in_rule(core: Core, dave: Actor) -> None:
    rules.apply(core, dave, ONE)
    assert rules.use(core, dave, "default")["id"] == "default@1"
    assert states(core, dave) == [("default@1", "current"), ("gx@1", "stored")]
    snapshots.take(core, dave, "2026-10")
    with core.store.read() as uow:
        assert uow.count(StatisticalRule, StatisticalRule.name == "default") == 1


def test_the_built_in_name_is_taken(core: Core, dave: Actor) -> None:
    with pytest.raises(BadInput) as refused:
        rules.apply(core, dave, DEFAULT)
    assert refused.value.faults[0].code == "reserved"


def test_changes_need_the_right_and_are_in_the_audit_chain(core: Core, dave: Actor) -> None:
    rules.apply(core, dave, ONE)
    rules.apply(core, dave, OTHER, use=True)
    for user in ("alice", "frank", "carol", "ivan", "sam"):
        with pytest.raises(NotAllowed):
            rules.apply(core, an_actor(core, user), OTHER)
        with pytest.raises(NotAllowed):
            rules.use(core, an_actor(core, user), "gx@1")
    with pytest.raises(NotAllowed):
        rules.list_rules(core, an_actor(core, "sam"))
    assert rules.show_rule(core, an_actor(core, "alice"))["id"] == "gx@2"
    with core.store.read() as uow:
        events = [(row.action, row.subject_id) for row in uow.all(AuditEvent, order_by=[AuditEvent.seq])]
    assert events == [
        ("migration.rule.apply", "gx@1"), ("migration.rule.use", "gx@1"),
        ("migration.rule.apply", "gx@2"), ("migration.rule.use", "gx@2"),
    ]  # fmt: skip
