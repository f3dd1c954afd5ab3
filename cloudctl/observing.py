"""Observe only: an installation whose database came out of a vault looks, and changes no cloud and no vault.

What the database says is older than what the clouds have; and the installation it was taken from may still be
at work. Until two different people have looked and said so, no operation that acts on a cloud begins or goes
on. The restore of the database writes the row; only `dr.database.confirming` ends it.
"""

from cloudctl.errors import ObserveOnly
from cloudctl.models import DatabaseRestore
from cloudctl.store import Store, UnitOfWork

HARMLESS = frozenset({"bulletin", "enrol"})  # kinds of operations that speak to no cloud and no vault


def restore_in_force(uow: UnitOfWork) -> DatabaseRestore | None:
    """The restore that two people have still to confirm; None when the installation may act."""
    return uow.first(DatabaseRestore, DatabaseRestore.ended_at.is_(None), order_by=[DatabaseRestore.id])


def is_observing(store: Store) -> bool:
    """Whether nothing may be changed at a cloud or in a vault."""
    with store.read() as uow:
        return restore_in_force(uow) is not None


def must_act(uow: UnitOfWork, kind: str) -> None:
    """ObserveOnly when an operation of that kind may not begin now."""
    if kind not in HARMLESS and restore_in_force(uow) is not None:
        raise refusal()


def refusal() -> ObserveOnly:
    """Why nothing is changed, and the way out."""
    return ObserveOnly(
        "the database came back from a vault: nothing is changed at a cloud before two people confirm",
        hint="look whether the clouds are as the database says, then both run: cloudctl database confirm",
    )
