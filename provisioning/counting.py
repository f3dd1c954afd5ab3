"""How the ledger learns what was found: a function that the composition root passes in.

The ledger belongs to the packages that never speak to a cloud, and this one is blind to them.
"""

from collections.abc import Callable

from cloudctl.amounts import Amounts
from cloudctl.models import Project
from cloudctl.store import UnitOfWork

Count = Callable[[UnitOfWork, Project, Amounts], None]  # what the project's resources count more than before
