"""The one error the lab raises for a person to read."""


class LabError(Exception):
    """The lab could not do what was asked; the text says what failed and where its log is."""
