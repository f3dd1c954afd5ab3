"""What a move puts into the register, and what it reads out of it. Pure.

The same conditions as in docs/model/failover.pml: `base` there is `base_epoch` here, `me` is the site a
move goes to, `is_mine` has one name in both.
"""

from dataclasses import replace

from cloudctl.ports import Register


def first(group: str, site: str) -> Register:
    """The entry of a group that never had one: open where its system runs."""
    return Register(group, 1, site, is_open=True, last=site)


def is_mine(now: Register | None, base_epoch: int, site: str, owner: str) -> bool:
    """Whether the entry is what this very move made, and nobody came after it."""
    return now is not None and (now.epoch, now.holder, now.owner) == (base_epoch + 1, site, owner)


def is_lost(now: Register | None, base_epoch: int, site: str, owner: str) -> bool:
    """Whether somebody else made the next epoch, so that this move can never have it."""
    return now is not None and now.epoch > base_epoch and not is_mine(now, base_epoch, site, owner)


def may_seize(now: Register | None, base_epoch: int, site: str) -> bool:
    """Whether the entry still is as it was when the move was asked for."""
    return now is not None and now.epoch == base_epoch and now.holder != site


def seized(now: Register, site: str, owner: str) -> Register:
    """The next epoch, ours and closed: nobody can take or renew a lease, and `last` stays as it is."""
    return replace(now, epoch=now.epoch + 1, holder=site, is_open=False, owner=owner)


def opened(now: Register) -> Register:
    """The agent of the holder may take the lease; from now on its writers are the only ones."""
    return replace(now, is_open=True, last=now.holder)


def given_back(now: Register) -> Register:
    """The epoch after, open for the site that was open last; that need not be the one it was taken from."""
    return replace(now, epoch=now.epoch + 1, holder=now.last, is_open=True, owner="")


def broken(now: Register, site: str, owner: str) -> Register:
    """As `seized`, by two people who broke the glass: whatever the entry is by now."""
    return seized(now, site, owner)
