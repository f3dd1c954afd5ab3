"""The floor and the entry points of cloudctl: one manager for a province's "1+N" government clouds."""

__version__ = "0.1.0"
