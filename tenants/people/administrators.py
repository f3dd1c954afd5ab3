"""The first system administrators of an installation."""

from collections.abc import Iterable

from cloudctl import secrets
from cloudctl.actors import INSTALLATION, SYSTEM, Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault
from cloudctl.models import User
from cloudctl.secrets import Hidden
from tenants.people.accounts import NewUser, add_user, user_faults
from tenants.people.roles import add_grant


def first_administrators(core: Core, people: Iterable[tuple[str, str]]) -> dict[str, Hidden]:
    """Make the first system administrators, (id, name) each; their first passwords, shown once.

    At least two, so that each can give the other roles. Conflict when the installation has users.
    """
    wanted = [NewUser(user_id, name, password=secrets.new_password()) for user_id, name in people]
    faults = [fault for new in wanted for fault in user_faults(new)]
    if len({new.id for new in wanted}) < 2:
        faults.append(Fault("administrators", "too_few", "two different people are needed"))
    if faults:
        raise BadInput("the first administrators cannot be made", faults=faults)
    passwords = {new.id: Hidden(new.password or "") for new in wanted}
    with core.store.write() as uow:
        if uow.count(User):
            raise Conflict("there are users already")
        for new in wanted:
            add_user(core, uow, SYSTEM, new, secrets.hash_password(passwords[new.id]))
            add_grant(core, uow, SYSTEM, new.id, Role.SYSTEM_ADMIN, INSTALLATION)
    return passwords
