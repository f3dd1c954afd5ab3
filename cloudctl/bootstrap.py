"""The composition root: the only place that picks drivers and wires the parts of an installation."""
