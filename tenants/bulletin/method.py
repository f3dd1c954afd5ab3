"""By which rule and from which frozen figures a bulletin was counted (口径), as rows of words. Pure."""

from collections.abc import Iterator

from tenants.bulletin.content import Bulletin
from tenants.bulletin.wording import Wording


def rows(bulletin: Bulletin, words: Wording) -> Iterator[tuple[str, str]]:
    """By which rule and from which figures it was counted."""
    how, to = bulletin.method, words.to
    rule = {"title": how.rule_title, "name": how.rule_name, "version": how.rule_version}
    frozen = {"month": words.month(), "revision": how.revision, "sha256": how.snapshot_sha256}
    yield to("Cut-off"), words.moment(how.cut_off_at) + _so_far(bulletin, words)
    template = "{title} ({name}, version {version}); SHA-256 {sha256}"
    yield to("Rule of counting"), to(template, sha256=how.rule_sha256, **rule)
    template = "{month}, revision {revision}; SHA-256 {sha256}"
    yield to("Frozen figures"), to(template, **frozen)
    if how.reason:
        yield to("Reason of the correction"), how.reason
    if how.previous_month is not None:
        compared: dict[str, object] = {
            "month": words.month(how.previous_month),
            "revision": how.previous_revision,
            "version": how.previous_rule_version,
        }
        template = "{month}, revision {revision}, version {version} of the rule"
        yield to("Compared with"), to(template, **compared)
    template = "compared as integers, shown rounded down to two decimals; — where nothing counts"
    yield to("Rates"), to(template)
    if bulletin.total.goal is not None:
        template = "who has no target of its own is shown beside that of {whole}"
        yield to("Targets"), to(template, whole=words.whole())


def _so_far(bulletin: Bulletin, words: Wording) -> str:
    return "" if bulletin.method.is_whole else words.to(" (the month had not ended)")
