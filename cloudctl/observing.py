"""Observe only: an installation that looks, and changes no cloud and no vault.

Two reasons. Its database came out of a vault: what it says is older than what the clouds have, and the
installation it was taken from may still be at work. Until two different people have looked and said so, no
operation that acts on a cloud begins or goes on; the restore of the database writes the row, and only
`dr.database.confirming` ends it. Or it stands by for another installation, which acts; from the day two
people let it work alone (`dr.alone.taking_over`) it moves systems to its own site, and nothing else.
"""

from cloudctl.errors import ObserveOnly
from cloudctl.models import DatabaseRestore, Standby
from cloudctl.store import Store, UnitOfWork

HARMLESS = frozenset({"bulletin", "enrol"})  # kinds of operations that speak to no cloud and no vault
ALONE_KINDS = HARMLESS | {"failover", "shift"}  # what a site does while it works alone
STANDING_BY, ALONE = "standby", "alone"
_ONLY = 1


def restore_in_force(uow: UnitOfWork) -> DatabaseRestore | None:
    """The restore that two people have still to confirm; None when the installation may act."""
    return uow.first(DatabaseRestore, DatabaseRestore.ended_at.is_(None), order_by=[DatabaseRestore.id])


def standby_of(uow: UnitOfWork) -> Standby | None:
    """For whom this installation stands by, or works alone; None: it is nobody's standby."""
    return uow.get(Standby, _ONLY)


def allowed_kinds(uow: UnitOfWork) -> frozenset[str] | None:
    """The kinds of operations that may begin and go on now; None: all of them."""
    if restore_in_force(uow) is not None:
        return HARMLESS
    standby = standby_of(uow)
    if standby is None:
        return None
    return ALONE_KINDS if standby.state == ALONE else HARMLESS


def is_observing(store: Store) -> bool:
    """Whether nothing may be changed at a cloud or in a vault."""
    with store.read() as uow:
        return allowed_kinds(uow) == HARMLESS


def acts_in_full(store: Store) -> bool:
    """Whether it does all that an installation does, also what falls due by the clock."""
    with store.read() as uow:
        return allowed_kinds(uow) is None


def must_act(uow: UnitOfWork, kind: str) -> None:
    """ObserveOnly when an operation of that kind may not begin now."""
    allowed = allowed_kinds(uow)
    if allowed is None or kind in allowed:
        return
    if restore_in_force(uow) is not None:
        raise refusal()
    standby = standby_of(uow)
    raise alone_refusal() if standby is not None and standby.state == ALONE else standby_refusal()


def refusal() -> ObserveOnly:
    """Why nothing is changed, and the way out."""
    return ObserveOnly(
        "the database came back from a vault: nothing is changed at a cloud before two people confirm",
        hint="look whether the clouds are as the database says, then both run: cloudctl database confirm",
    )


def standby_refusal() -> ObserveOnly:
    """The same where it stands by for another installation."""
    return ObserveOnly(
        "this installation stands by for another one, and changes nothing",
        hint="if the other one is lost, two different people run: cloudctl dr takeover",
    )


def alone_refusal() -> ObserveOnly:
    """What waits until the home is back."""
    return ObserveOnly(
        "this installation works alone: it moves systems to its own site, and nothing else",
        hint="what it did is merged at the other one with: cloudctl dr merge",
    )


def refusal_of(store: Store) -> ObserveOnly:
    """Why whoever speaks to the outside beside operations is refused."""
    with store.read() as uow:
        return refusal() if restore_in_force(uow) is not None else standby_refusal()
