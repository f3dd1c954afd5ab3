"""Sentinels read back from an application that runs, by the very code with which the probe reads a clone."""

from dr.isolated.probe_script import sentinels
from dr.sentinels import found
from dr.sentinels.found import Found


def of_answer(text: str) -> Found:
    """What came back in the answer to `read_url`, in whatever form the application keeps it."""
    return found.of_records(sentinels(text))
