"""The names in a bulletin, in Chinese as offices write them or in English; from the catalogue of texts.

English templates are the keys; what Chinese makes of a division's name (全区, 自治区本级) is a table here.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from cloudctl.clock import BEIJING
from cloudctl.texts import office_words, translator
from tenants.bulletin.content import Bulletin

CHINESE, ENGLISH = "zh", "en"
# how a division's name ends -> what the whole of it is called, its own level, what lies right below
_ENDS: Mapping[str, tuple[str, str, str]] = {
    "自治区": ("全区", "自治区本级", "各设区市"),
    "省": ("全省", "省本级", "各设区市"),
    "州": ("全州", "州本级", "各县（市）"),
    "盟": ("全盟", "盟本级", "各旗县（市）"),
    "地区": ("全地区", "地区本级", "各县（市）"),
    "市": ("全市", "市本级", "各县（市、区）"),
}
_NUMBERS = "一二三四五六七八九十"
_MOST_NAMES = 12


class Wording:
    """Puts a bulletin into the words of one language."""

    def __init__(self, bulletin: Bulletin, language: str = CHINESE) -> None:
        self.language = language
        self._bulletin = bulletin
        self._translate = translator(language)
        self._word = office_words(language)
        ends = _ENDS if language == CHINESE else {}
        self._names = next((words for end, words in ends.items() if bulletin.division.endswith(end)), None)

    def to(self, template: str, **params: object) -> str:
        """The template in this language, filled in."""
        return self._translate(template).format(**params)

    def numbered(self, number: int, title: str) -> str:
        """The heading of a section."""
        return f"{_NUMBERS[number - 1]}、{title}" if self.language == CHINESE else f"{number}. {title}"

    # -- names and days

    def whole(self) -> str:
        """The division as a whole: 全区."""
        return self._names[0] if self._names else self.to("all of {division}", division=self._division)

    def own_level(self) -> str:
        """The departments of the division itself: 自治区本级."""
        return self._names[1] if self._names else self.to("{division}, own level", division=self._division)

    def areas(self) -> str:
        """What is ranked: 各设区市."""
        if self._names:
            return self._names[2]
        is_province = self._bulletin.level == "province"
        return self.to("Cities") if is_province else self.to("Counties and districts")

    def below(self) -> str:
        """Everything below the own level, together."""
        return self.to("{areas} together", areas=self.areas())

    def month(self, month: str = "") -> str:
        """The month of the bulletin, or another, as people say it."""
        first = date.fromisoformat(f"{month or self._bulletin.month}-01")
        return f"{first.year}年{first.month}月" if self.language == CHINESE else f"{first:%B %Y}"

    def day(self, day: date) -> str:
        if self.language == CHINESE:
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {day:%B %Y}"

    def moment(self, moment: datetime) -> str:
        """A moment as people say it; midnight is the end of the day before."""
        local = (moment + timedelta(microseconds=1)).astimezone(BEIJING)  # the last moment of a day ends it
        if local.time() == time():
            return self.to("{day}, 24:00", day=self.day(local.date() - timedelta(days=1)))
        return self.to("{day}, {clock}", day=self.day(local.date()), clock=f"{local:%H:%M}")

    def masthead(self) -> str:
        """The red line on top."""
        return self.to("Bulletin of {division} on information systems on the cloud", division=self._division)

    def title(self) -> str:
        template = "On information systems on the cloud, {whole}, {month}"
        return self.to(template, whole=self.whole(), month=self.month())

    def file_name(self) -> str:
        """Of the files, without their ending."""
        revision = self._bulletin.method.revision
        if self.language == CHINESE:
            again = f"-第{revision}版" if revision > 1 else ""
            return f"上云情况通报-{self._division}-{self.month()}{again}"
        again = f"-r{revision}" if revision > 1 else ""
        return f"bulletin-{self._bulletin.code}-{self._bulletin.month}{again}"

    def issuer(self) -> str:
        """Who signs it; nobody named: the office in charge."""
        template = "office in charge of the government cloud, {division}"
        return self._bulletin.issuer or self.to(template, division=self._division)

    def recipients(self) -> str:
        """Whom it is sent to."""
        template = "To: {areas} and the departments concerned in {whole}"
        return self.to(template, areas=self.areas(), whole=self.whole())

    def annexes(self) -> list[str]:
        return [
            self.to("Departments of {level}", level=self.own_level()),
            self.to("Areas and departments short of the target"),
            self.to("How it was counted"),
        ]

    def shift(self, reason: str) -> str:
        return self._word("denominator", reason)

    def some(self, names: Sequence[str]) -> str:
        """The names, or the first of them and how many more there are."""
        told = self.mark.join(names[:_MOST_NAMES])
        more = len(names) - _MOST_NAMES
        return told if more <= 0 else self.to("{names} and {count} more", names=told, count=more)

    def exclusion(self, reason: str) -> str:
        return self._word("exclusion", reason)

    def joined(self, *sentences: str) -> str:
        """One sentence after the other."""
        return ("" if self.language == CHINESE else " ").join(one for one in sentences if one)

    @property
    def mark(self) -> str:
        """What stands between the things of a list."""
        return "、" if self.language == CHINESE else ", "

    @property
    def _division(self) -> str:
        return self._bulletin.division
