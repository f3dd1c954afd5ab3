"""What people would see, in memory: every address answers unless a test says how it fails."""

from collections import Counter

from cloudctl.ports.outside import Question, Seen


class FakeOutside:
    """Implements Outside. `failing` has addresses with what is wrong there."""

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        self.asked: Counter[str] = Counter()

    def ask(self, question: Question, timeout_s: float) -> Seen:
        self.asked[question.address] += 1
        detail = self.failing.get(question.address, "")
        return Seen(not detail, 0.01, detail)
