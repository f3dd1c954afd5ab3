"""What a reader does with notices."""

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import Notice


def mark_read(core: Core, actor: Actor, notice_id: int) -> None:
    """One's own notice is read. Again changes nothing; NotFound for those of others.

    No event in the chain: it changes nothing for anyone else.
    """
    with core.store.write() as uow:
        notice = uow.get(Notice, notice_id)
        if notice is None or notice.user_id != actor.user_id:
            raise NotFound("notice '{key}' does not exist", key=notice_id)
        uow.update(Notice, Notice.id == notice_id, Notice.read_at.is_(None), read_at=core.clock.now())


def mark_all_read(core: Core, actor: Actor) -> int:
    """All of one's own notices are read; how many were not."""
    with core.store.write() as uow:
        unread = [Notice.user_id == actor.user_id, Notice.read_at.is_(None)]
        return uow.update(Notice, *unread, read_at=core.clock.now())
