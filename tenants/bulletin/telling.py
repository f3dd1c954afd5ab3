"""What a bulletin tells in sentences: the month, the ranking, who is behind, changes, the outlook. Pure."""

from collections.abc import Sequence

from tenants.bulletin.content import Bulletin, Goal, Line, Outlook
from tenants.bulletin.values import Kind, shown
from tenants.bulletin.wording import Wording
from tenants.migration.forecast import Why
from tenants.migration.rates import percent_text


class Telling:
    """The sentences of one bulletin, in the language of its wording."""

    def __init__(self, bulletin: Bulletin, words: Wording) -> None:
        self._bulletin = bulletin
        self._words = words
        self.to = words.to

    def overall(self) -> list[str]:
        """The paragraphs of the first section."""
        one, new = self._bulletin, self._bulletin.new.count
        told = [*self._correction(), self._first(), self._levels()]
        if new.denominator:
            template = "Of new systems {denominator} count and {numerator} are on the cloud: {rate}."
            told.append(self.to(template, **self._figures(one.new)))
        told.append(self._target(one.total))
        if one.total.count.unknown:
            template = (
                "Of {count} systems reported on the cloud the evidence cannot be had yet: not verified."
            )
            told.append(self.to(template, count=one.total.count.unknown))
        return told

    def ranking(self) -> str:
        """Who leads, who comes last, and how many reach the target."""
        lines = [line for line in self._bulletin.areas if line.rank is not None]
        if not lines:
            return self.to("Nothing counts below the own level.")
        first, last = lines[0], lines[-1]
        if first is last:
            told = self.to("{name}: {rate}.", name=first.name, rate=self._rate(first))
            return self._words.joined(told, self._reached(lines))
        params = {"first": first.name, "high": self._rate(first), "last": last.name, "low": self._rate(last)}
        told = self.to("{first} leads with {high}; {last} comes last with {low}.", **params)
        return self._words.joined(told, self._reached(lines))

    def late(self) -> str:
        """How many miss the target."""
        areas, units = len(self._bulletin.areas_behind), len(self._bulletin.units_behind)
        if not areas + units:
            return self.to("Nobody is short of a target.")
        template = (
            "{areas} areas and {units} departments are short of their targets; their names are annexed."
        )
        return self.to(template, areas=areas, units=units)

    def idle(self) -> str:
        count = len(self._bulletin.idle)
        total = self._bulletin.total.count
        unproved = total.numerator_hundredths - total.verified_hundredths
        if count:
            template = "{count} systems are reported on the cloud and have had nothing running there."
            return self.to(template, count=count)
        if not unproved:
            return self.to("Something runs for every system that is reported on the cloud.")
        template = (
            "No system was found that stood still for so long; for {count} of those reported on the cloud"
            " it is not proved that anything runs."
        )
        return self.to(template, count=shown(Kind.SYSTEMS, unproved))

    def changes(self) -> list[str]:
        """What became of the denominator, and what does not count."""
        one = self._bulletin
        count, was = one.total.count, one.total.before
        told = [self._excluded()] if count.excluded else []
        if was is None:
            template = "There are no frozen figures of the month before; nothing is compared."
            return [*told, self.to(template)]
        grown = count.denominator - was.denominator
        params = {"denominator": count.denominator, "before": was.denominator, "count": abs(grown)}
        if grown == 0:
            return [*told, self.to("{denominator} systems count, as the month before.", **params)]
        if grown > 0:
            template = "{denominator} systems count, {count} more than the month before ({before})."
            return [*told, self.to(template, **params)]
        template = "{denominator} systems count, {count} fewer than the month before ({before})."
        return [*told, self.to(template, **params)]

    def flags(self) -> list[str]:
        """What about the denominator has to be explained."""
        return [
            self.to("{name}: {words}", name=one.name, words=self.to(one.template, **one.params))
            for one in self._bulletin.flags
        ]

    def outlook(self) -> list[str]:
        """The pace that is needed, and where the rate is going if things go on."""
        one, goal = self._bulletin.outlook, self._bulletin.total.goal
        if goal is None:
            return [self.to("No target is set, so nothing is foretold.")]
        if one is None:
            return [self.to("Nothing counts, so nothing is foretold.")]
        told = []
        if self._bulletin.total.is_behind and one.pace_needed is not None:
            template = "{count} more systems have to move by {day}: {need} a month."
            params = {"count": self._bulletin.total.missing, "day": self._words.day(goal.due_on)}
            told.append(self.to(template, need=one.pace_needed, **params))
        if one.pace_so_far_hundredths is not None:
            pace = percent_text(one.pace_so_far_hundredths)
            told.append(self.to("So far {pace} systems a month have moved.", pace=pace))
        return [self._words.joined(*told, self._ahead(one, goal))]

    # -- the pieces

    def _ahead(self, one: Outlook, goal: Goal) -> str:
        """The forecast with its interval, or why there is none."""
        if one.expected is None or one.low is None or one.high is None:
            return self._nothing_ahead(one)
        params = {
            "months": one.months,
            "day": self._words.day(goal.due_on),
            "expected": shown(Kind.RATE, one.expected),
            "coverage": one.coverage_percent,
            "low": shown(Kind.RATE, one.low),
            "high": shown(Kind.RATE, one.high),
        }
        template = (
            "As the last {months} months went, the rate will be {expected} by {day}; with a chance of"
            " {coverage}% it will lie between {low} and {high}: {verdict}."
        )
        return self.to(template, verdict=self._verdict(one, goal.value), **params)

    def _nothing_ahead(self, one: Outlook) -> str:
        if one.why == Why.PASSED:
            return self.to("No month ends before the deadline any more; nothing is foretold.")
        if one.why == Why.NOTHING_LEFT:
            return self.to("At this pace nothing would count any more; nothing is foretold.")
        template = "{months} frozen months by this rule are too few for a forecast."
        return self.to(template, months=one.months)

    def _verdict(self, one: Outlook, value: int) -> str:
        if one.low is not None and one.low >= value:
            return self.to("the target will be reached")
        if one.high is not None and one.high < value:
            return self.to("the target will be missed at this pace")
        return self.to("whether the target is reached is open")

    def _correction(self) -> list[str]:
        how = self._bulletin.method
        if how.revision == 1:
            return []
        template = "These are corrected figures (revision {revision}): {reason}."
        return [self.to(template, revision=how.revision, reason=how.reason.rstrip("。."))]

    def _first(self) -> str:
        template = (
            "By {moment}, {denominator} systems count in {whole} and {numerator} of them are on the cloud:"
            " {rate}{change}. The verified rate is {verified}."
        )
        total = self._bulletin.total
        moment = self._words.moment(self._bulletin.method.cut_off_at)
        return self.to(template, whole=self._words.whole(), moment=moment, **self._figures(total))

    def _levels(self) -> str:
        template = "{scope}: {denominator} systems count, {numerator} on the cloud, {rate}{change}."
        own, rest = self._bulletin.own, self._bulletin.rest
        told = [self.to(template, scope=self._words.own_level(), **self._figures(own))]
        if rest.count.denominator:
            told.append(self.to(template, scope=self._words.below(), **self._figures(rest)))
        return self._words.joined(*told)

    def _target(self, line: Line) -> str:
        if line.goal is None:
            return self.to("No target is set.")
        params = {
            "value": shown(Kind.RATE, line.goal.value),
            "day": self._words.day(line.goal.due_on),
            "source": line.goal.source,
            "count": line.missing,
        }
        if not line.is_behind:
            return self.to("The target is {value} by {day} ({source}); it is met.", **params)
        return self.to(
            "The target is {value} by {day} ({source}); {count} more systems have to move.", **params
        )

    def _reached(self, lines: Sequence[Line]) -> str:
        with_goal = [line for line in lines if line.goal is not None]
        if not with_goal:
            return ""
        reached = sum(not line.is_behind for line in with_goal)
        template = "{reached} of {count} reach their target, {late} do not."
        params = {"reached": reached, "count": len(with_goal), "late": len(with_goal) - reached}
        return self.to(template, **params)

    def _excluded(self) -> str:
        count = self._bulletin.total.count
        parts = [
            self.to("{reason} {count}", reason=self._words.exclusion(reason), count=number)
            for reason, number in count.excluded.items()
            if number
        ]
        params = {
            "registered": count.registered,
            "count": sum(count.excluded.values()),
            "parts": self._words.mark.join(parts),
        }
        return self.to("{registered} systems are registered; {count} do not count: {parts}.", **params)

    def _figures(self, line: Line) -> dict[str, object]:
        count = line.count
        return {
            "denominator": count.denominator,
            "numerator": shown(Kind.SYSTEMS, count.numerator_hundredths),
            "rate": self._rate(line),
            "verified": shown(Kind.RATE, line.verified_rate),
            "change": self._change(line),
        }

    def _rate(self, line: Line) -> str:
        return shown(Kind.RATE, line.rate)

    def _change(self, line: Line) -> str:
        """How the rate moved since the month before, in half a sentence."""
        change = line.change
        if change is None:
            return ""
        if change == 0:
            return self.to(", as the month before")
        params = {"points": percent_text(int(abs(change)))}
        if abs(change) < 1:
            return self.to(", about as the month before")
        if change > 0:
            return self.to(", {points} points more than the month before", **params)
        return self.to(", {points} points less than the month before", **params)
