"""What people read, in Chinese or English: English templates are the keys of one gettext catalogue.

Office words for states, kinds and roles are entries with a context (`request state`: `building`).
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

from cloudctl.errors import Translate

LANGUAGES = ("zh", "en")
CATALOGUE = Path(__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES" / "cloudctl.po"
Words = Callable[[str, str], str]
_AT_PATH = "{path}: "


def translator(language: str) -> Translate:
    """From an English template to the template in `zh` or `en`; what has no entry stays English."""
    if language != "zh":
        return _as_is
    entries = _chinese()

    def say(template: str) -> str:
        if template.startswith(_AT_PATH):  # a fault of a file: where it is, then what is wrong
            return _AT_PATH + say(template.removeprefix(_AT_PATH))
        return entries.get(("", template), template)

    return say


def office_words(language: str) -> Words:
    """From a context and a stored value to the word people use: ("request state", "building") -> 开通中."""
    entries = _chinese() if language == "zh" else _english()

    def word(context: str, value: str) -> str:
        return entries.get((context, value)) or value.replace("_", " ")

    return word


def has_entry(template: str, context: str = "") -> bool:
    """Whether the catalogue knows the template."""
    return (context, template) in _chinese()


def _as_is(template: str) -> str:
    return template


@cache
def _chinese() -> Mapping[tuple[str, str], str]:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    return {
        (message.context or "", str(message.id)): str(message.string)
        for message in catalogue
        if message.id and message.string
    }


@cache
def _english() -> Mapping[tuple[str, str], str]:
    """English words that differ from the stored value."""
    return {
        ("kind", "ram_mib"): "memory",
        ("kind", "volume_gib"): "storage",
        ("kind", "vcpus"): "vCPUs",
        ("request kind", "vm"): "virtual machines",
        ("resource kind", "server"): "virtual machine",
        ("protection state", "rpo_at_risk"): "RPO at risk",
        ("protection state", "rpo_violated"): "RPO violated",
        ("plan health", "rpo_at_risk"): "RPO at risk",
        ("plan health", "rpo_violated"): "RPO violated",
    }
