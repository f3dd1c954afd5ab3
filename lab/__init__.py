"""A real OpenStack "1+N" on one machine: a provincial cloud and one or two city clouds, each whole."""

from lab.errors import LabError
from lab.lab import Lab
from lab.status import ServiceStatus

__all__ = ["Lab", "LabError", "ServiceStatus"]
