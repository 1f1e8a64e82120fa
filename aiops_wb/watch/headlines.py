"""What a report says first: what is, and what to do."""

from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from html import escape

import numpy as np
import pandas as pd

from ..log.reason_files import SAME_SCORE
from ..stats.conformal import MIN_SAMPLES
from ..stats.drift import KINDS
from ..stats.performance import over_days
from .ab import ab_words
from .attribution import plain_names
from .dial import called_otherwise
from .registered import ENOUGH_DAYS
from .silence import ADVICE
from .view import View
from .words import number, percent

__all__ = [
    "Headline",
    "performance_headline",
    "drift_headline",
    "watch_note",
    "silence_note",
    "attribution_note",
    "certainty_headline",
    "backtest",
    "held_against",
    "thresholds_headline",
    "reasons_headline",
]


@dataclass(frozen=True)
class Headline:
    "What is, what to do, and how urgent: ok, look or unknown."

    state: str
    says: str
    advice: str

    def __post_init__(self):
        if self.state not in ("ok", "look", "unknown"):
            raise ValueError(f"state {self.state!r} is not one of ok, look, unknown.")

    def _repr_mimebundle_(self, include=None, exclude=None):
        says, advice = escape(self.says), escape(self.advice)
        html = f'<p class="headline {self.state}"><strong>{says}</strong> {advice}</p>'
        return {
            "text/plain": f"{self.says} {self.advice}",
            "text/html": html,
            "application/vnd.aiops-wb.headline+json": {
                "state": self.state,
                "says": self.says,
                "advice": self.advice,
            },
        }


def _with_unseen(headline):
    "A headline that says, too, what labels of the called alone leave unknown."

    @wraps(headline)
    def told(view: View) -> Headline:
        made, unseen = headline(view), view.selective
        if not unseen.says:
            return made
        state, advice = made.state, made.advice
        if unseen.unknown:
            state = "unknown" if state == "ok" else state
            if unseen.exploration is None:
                advice += " Have a random share of the others reviewed: explore = 0.02 (settings)."
        return Headline(state, f"{made.says} {unseen.says}", advice)

    return told


@_with_unseen
def performance_headline(view: View) -> Headline:
    "How is the model doing, on the newest days whose labels are in?"
    known, base = view.labels.complete, view.quality.baseline
    if known["accuracy"].n < MIN_SAMPLES:
        return _too_few_labels(view, known["accuracy"].n)
    of = view.reference.name
    held = lambda name, show: f" ({of}: {show(base[name])})" if name in base else ""
    says = (
        f"Of the predictions of {_span(view)} {percent(known['labelled_share'].value)} "
        f"are labelled: at the threshold of {number(view.probability(view.threshold))} "
        f"the model found {percent(known['recall'].value)} of the known positives, "
        f"and {percent(known['precision'].value)} of its labelled alerts were right; "
        f"{percent(known['positive_rate'].value)} were positive{held('positive_rate', percent)}, "
        f"ROC-AUC {number(known['roc_auc'].value)}{held('roc_auc', number)}."
    )
    if view.quality.losses:
        worse = " and ".join(view.quality.losses)
        advice = f"Against the {of}, {worse}: see drift, then consider a challenger."
        return Headline("look", says, advice)
    if why := _nothing_to_compare(view):
        return Headline("unknown", says, why)
    # scores that are no probabilities have no calibration
    what = "Accuracy, ranking and calibration" if "brier" in base else "Accuracy and ranking"
    return Headline("ok", says, f"{what} hold.")


def _nothing_to_compare(view):
    "Why figures cannot be held against those of the reference days; empty where they can."
    span, base = view.reference.span, view.quality.baseline
    if span and view.labels.complete_day <= span[1]:
        return (
            "These days are among those that the version is held against, or lie before them: look "
            "at later ones."
        )
    if not base and span:
        return (
            "There is nothing to compare with: no day of those that were chosen has labels that "
            "are in. Choose others with 'aiops-wb reference set'."
        )
    if not base:
        return (
            "There is nothing to compare with: this version was trained elsewhere. Choose days of "
            "the log with 'aiops-wb reference set'."
        )
    if not view.quality.compared["accuracy"].n:
        return (
            "There is nothing to compare: all of these days with labels were holidays, and the "
            "reference days are not."
        )
    return ""


def _span(view):
    "The complete days that are spoken of."
    first, last = view.labels.complete_window
    if last == view.day:
        return f"the last {view.settings.recent_days} days"
    return f"the newest complete days, {first:%-d %B} to {last:%-d %B},"


def _too_few_labels(view, n):
    "What is said of quality where the labels that are in are too few."
    week = view.quality.week
    known, of = week["accuracy"].n, f"the {week['predictions'].n:,} predictions of the last "
    of += f"{view.settings.recent_days} days"
    if not known:
        said = f"No label is known yet for {of}"
    else:
        said = f"{known:,} label{'s are' if known > 1 else ' is'} known for {of}"
    if view.labels.complete_day:
        first, last = view.labels.complete_window
        said += f", and {n:,} for the newest complete days, {first:%-d %B} to {last:%-d %B}"
        why = f"Wait for labels: at least {MIN_SAMPLES} of complete days are needed."
    else:
        why = f"{_sentence(view.complete_days.why_none)} Labels that came early are no fair sample."
    return Headline("unknown", f"{said}.", why)


def _sentence(text):
    return f"{text[:1].upper()}{text[1:]}."


def drift_headline(view: View) -> Headline:
    "Has anything moved that matters?"
    drift, silence = view.drift, view.silence
    heard = [a for a in drift.alarms if not a.muted]
    others = _of_alarms(heard, drift.days[0], drift.moved_with) if heard else None
    if silence and (silence.open or silence.just_over):
        return _of_silence(silence, others)
    if others:
        return others
    if drift.off:
        return _switched_off(view, drift.off)
    if not any(q.about != "volume" for q in drift.watched):
        why = drift.unwatched.get("score", "")
        says = f"Neither the score nor a feature can be watched: {why}."
        return Headline("unknown", says, _until_watched(view))
    if drift.alarms:
        streams = ", ".join(a.stream for a in drift.alarms[:5])
        return Headline(
            "ok",
            f"{len(drift.alarms)} alarms are open, all on days that the calendar mutes: {streams}.",
            "Look again when these days are over.",
        )
    return Headline(
        "ok",
        f"No alarm is open: none of {len(drift.watched)} streams differs from its reference "
        f"by more than is tolerated, as far as the evidence goes{_not_watched(drift)}.",
        "Nothing to do.",
    )


def _switched_off(view, off):
    "That nobody is told of what moved, and how that ends."
    return Headline(
        "unknown",
        f"Version {view.version} is not watched {off}. Its figures go on; no alarm is raised.",
        f"Switch it on again with 'aiops-wb models watch {view.model}/{view.version} on --why'.",
    )


def _until_watched(view):
    "What to do where neither the score nor a feature can be watched."
    span = view.reference.span
    if span and view.day <= span[1]:
        return f"Alarms begin after {span[1]:%-d %B %Y}: look at a later day."
    return (
        "Come back when the log is longer, or choose days to compare with: "
        "'aiops-wb reference set'."
    )


def _not_watched(drift):
    "How many streams cannot be watched."
    n = len(drift.unwatched)
    return f"; {n} more cannot be watched" if n else ""


def _of_silence(silence, others):
    "What was missing on the day or until then, before what else is open."
    if silence.open:
        says, advice = silence.open.text, ADVICE
    else:
        over = silence.just_over
        says = (
            f"Predictions came again on this day: there were none since {over.first:%-d %B} "
            f"(found on {over.found:%-d %B}, {over.rule})."
        )
        advice = "Ask whether the events of these days are lost, or still to be delivered."
    if others:
        says, advice = f"{says} {others.says}", f"{advice} {others.advice}"
    return Headline("look", says, advice)


def silence_note(view: View) -> Headline:
    "What of silence would be found when."
    silence = view.silence
    if silence is None:
        return Headline("unknown", "Silence is not watched: no version of the model is.", "")
    says = silence.says()
    state = "unknown" if "cannot be" in says else "ok"
    return Headline(state, says, silence.says_of_hours())


def attribution_note(view: View) -> Headline:
    "Whether features push scores otherwise than on the reference days; no alarm comes of it."
    told = view.attribution
    says = told.says(called=plain_names(view))
    if told.unknown:
        return Headline("unknown", says, "")
    if not told.moved:
        return Headline("ok", says, "Nothing to do.")
    advice = (
        "Look at the feature, and at those that the model uses with it: a push can move where the "
        "feature did not. Nothing is sent about it."
    )
    state = "look" if len(told.resembling) < len(told.moved) else "unknown"
    return Headline(state, says, advice)


def _of_alarms(heard, first_day, moved_with):
    """The gravest alarm in words, how many more are open, which features moved with them, and what
    to do."""
    gravest, others = heard[0], heard[1:]
    began = f"most likely since {gravest.since:%-d %B}"
    since = "since the version began" if gravest.since == first_day else began
    says = f"{gravest.severity.capitalize()} {gravest.kind} drift: {gravest.says()}, {since}."
    if others:
        count = f"{len(others)} more {'alarms are' if len(others) > 1 else 'alarm is'} open"
        streams = ", ".join(a.stream for a in others[:4]) + (" ..." if len(others) > 4 else "")
        says += f" {count}: {streams}."
    if moved_with:
        says += f" Moved with them, too little for an alarm so far: {', '.join(moved_with)}."
    by_kind = sorted(heard, key=lambda a: KINDS.index(a.kind))
    advice = list(dict.fromkeys(a.advice() for a in by_kind))
    grave = gravest.severity in ("medium", "high", "critical")
    return Headline("look" if grave else "ok", says, " ".join(advice[:2]))


def watch_note(view: View) -> Headline:
    "What the alarms promise, and why it cannot be claimed where it cannot."
    drift = view.drift
    if drift.off:
        return Headline("unknown", f"Nothing is promised: not watched {drift.off}.", "")
    if not drift.watched:
        return Headline("unknown", "Nothing is watched yet.", "")
    says = (
        f"{len(drift.watched)} streams have been followed since {drift.days[0]:%-d %B %Y}; "
        f"the chance of any false alarm in a year is to be at most {percent(drift.level)}. "
        f"The version is held against {held_against(view)}."
    )
    if view.card.get("bins") and not any(q.about == "feature" for q in drift.questions):
        says += (
            " Features are not watched: the version was registered before their reference was "
            "kept; one that is trained now has it."
        )
    if view.complete_days.newest is None:
        why = view.complete_days.why_none
        says += f" What labels would tell is not watched: {why}."
    known = _known_days(drift.calendar, view.day)
    if drift.caveats:
        return Headline(
            "unknown",
            f"{says} That level cannot be claimed here: {'; '.join(drift.caveats)}.",
            "An alarm still says that days differ from the reference; "
            f"how often one comes by chance is not known.{known}",
        )
    independent = drift.independence
    state = "ok" if independent.state == "holds" else "unknown"
    return Headline(state, says, f"{independent.says()}{known}")


def held_against(view: View) -> str:
    "Which days a version is held against, and who said so where a person chose them."
    span, first = view.reference.span, view.drift.days[0]
    if span:
        who, at, why = view.reader.reference_chosen(view.model, view.version, view.stood_at)
        return (
            f"{span[0]:%-d %B %Y} to {span[1]:%-d %B %Y}, as {who} chose on {at:%-d %B %Y}: {why}"
        )
    held = sorted(view.held_out)
    if held and "adopted" in view.card:
        name = view.card["adopted"]["reference"]
        return f"the days of {name}, {held[0]:%-d %B %Y} to {held[-1]:%-d %B %Y}"
    if held:
        return f"the held-out days of its training, {held[0]:%-d %B %Y} to {held[-1]:%-d %B %Y}"
    return f"its own first {ENOUGH_DAYS} days with predictions, from {first:%-d %B %Y} on"


def _known_days(calendar, day):
    "What the calendar says of the last 120 days."
    names = []
    for entry in calendar.itertuples():
        if entry.last.date() >= day - timedelta(120) and entry.first.date() <= day:
            until = "" if entry.first == entry.last else f" to {entry.last:%-d %b}"
            mutes = (", muted" if entry.mutes else "") + (", a holiday" if entry.holiday else "")
            names.append(f"{entry.name} ({entry.first:%-d %b}{until}{mutes})")
    return f" Known beforehand: {', '.join(names)}." if names else ""


def certainty_headline(view: View) -> Headline:
    "Which alerts are certain?"
    routes = view.tickets.decisions
    by_chance = view.selective.reviewed_today
    high_risk = routes["ticket"] + routes["alert"] - by_chance
    apart = called_otherwise(view, high_risk)
    if not view.tickets.stands:
        return _uncalibrated(view, routes["ticket"], apart)
    if not high_risk + routes["monitor"]:
        return Headline(
            "unknown",
            f"The day's {view.window(1).total[0]:,} predictions carry no route: what was decided "
            "about them is not known.",
            "Log the route with each prediction, or let the threshold decide "
            "('aiops-wb models dial').",
        )
    stands = view.tickets.stands[1]
    what = _certain_enough(routes, high_risk) + apart
    if by_chance:
        what += f" {by_chance:,} others were reviewed by chance."
    if stands.watch.broken_on:
        return Headline(
            "look",
            f"The promise about tickets broke (found on {stands.watch.broken_on}). {what}",
            "Nothing is automated until the cause is known and 'aiops-wb calibrations make' starts "
            "anew.",
        )
    stale = stands.calibration.stale(view.spoken_at)
    if stale:
        return Headline(
            "look",
            f"{stale[0].upper()}{stale[1:]}, so nothing is automated. {what}",
            "Let the daily run recalibrate, or use 'aiops-wb calibrations make'.",
        )
    rule = stands.rule
    if rule.threshold is None:
        advice = f"Nothing is automated: {rule.reason}."
        return Headline("look" if high_risk else "ok", what, advice)
    return Headline(
        "look" if _back_test_fails(view) else "ok",
        f"{what} From a score of {number(view.probability(rule.threshold))} on {rule.guarantee}.",
        f"{backtest(view)} A person reviews the rest, riskiest first.",
    )


def _back_test_fails(view):
    "Whether the tickets so far were false more often than is promised."
    kept = view.tickets.kept
    share = (kept.false / kept.tickets).mean() if len(kept) else 0.0
    return bool(share > view.settings.false_ticket_share)


def _uncalibrated(view, tickets, apart):
    opened = (
        f"so the {tickets:,} tickets are the scoring service's own decision"
        if tickets
        else "so no ticket was opened"
    )
    if view.grid.kind != "logit":
        advice = "These scores are no probabilities: nothing can be calibrated."
    elif why := view.complete_days.why_none:
        advice = f"Nothing can be calibrated yet: {why}."
    else:
        needed = f"{MIN_SAMPLES} labelled events of complete days"
        advice = f"The daily run calibrates when {needed} are known."
    return Headline("look", f"No calibration stood on this day, {opened}.{apart}", advice)


def _certain_enough(routes, high_risk):
    "How many of the day's high-risk events became tickets."
    if routes["ticket"]:
        return (
            f"Of {high_risk:,} high-risk events {routes['ticket']:,} were certain enough "
            f"for a ticket; {routes['alert']:,} went to a person."
        )
    if high_risk:
        return (
            f"None of the day's {high_risk:,} high-risk events was certain enough for a ticket: "
            "all went to a person."
        )
    return "No event of the day was of high risk."


def backtest(view: View) -> str:
    "What became of the tickets so far, in one sentence."
    kept = view.tickets.kept
    if kept.empty:
        return "No ticket has a mature label yet, so there is no back-test."
    target = view.settings.false_ticket_share
    share, mean = over_days(kept.false, kept.tickets), float((kept.false / kept.tickets).mean())
    by_week = kept.assign(week=pd.to_datetime(kept.day).dt.to_period("W")).groupby("week")
    weeks = by_week[["false", "tickets"]].sum()
    over = int((weeks.false / weeks.tickets > target).sum())
    return (
        f"Back-test over {len(kept)} mature days: the mean daily share of false tickets was "
        f"{percent(mean, 1)} ({percent(share.value, 1)} of all {int(kept.tickets.sum()):,} "
        f"labelled tickets); {over} of {len(weeks)} weeks exceeded {percent(target)}."
    )


@_with_unseen
def thresholds_headline(view: View) -> Headline:
    "What would another threshold do?"
    others = view.other_thresholds
    if others.candidate is None:
        return Headline(
            "unknown",
            f"No labelled positive is known in the 30 days to {others.through:%-d %B}.",
            "Keep the threshold until labels arrive.",
        )
    result = others.simulate(others.candidate)
    (best, in_force, _) = result.table["alerts_per_day"]
    says = (
        f"The threshold in force is {number(view.probability(view.threshold))} "
        f"({in_force:.0f} alerts a day). The best F1 of the {others.days_replayed} days "
        f"to {others.through:%-d %B} "
        f"would have been at {number(view.probability(others.candidate))} "
        f"({best:.0f} alerts a day).{ab_words(view)}"
    )
    if not others.complete:
        why = view.complete_days.why_none or "no day of this version is complete for labels yet"
        advice = f"Keep the threshold. {_sentence(why)} Labels that came early are no fair sample."
        return Headline("unknown", says, advice)
    close = abs(others.candidate - view.threshold) < 300
    return Headline("ok" if close else "look", says, result.recommendation)


def _scored_otherwise(reasons, scores):
    "How many events have a score that their reasons do not add up to."
    pushes = reasons.filter(like="push_").sum(axis=1)
    margin = (pushes + reasons["rest"] + reasons["bias"]).to_numpy(dtype=float)
    told = 1 / (1 + np.exp(-margin))
    return int((np.abs(told - scores.to_numpy(dtype=float)) > SAME_SCORE).sum())


def reasons_headline(
    reasons: pd.DataFrame, shown: int, total: int, scores: pd.Series | None = None
) -> Headline:
    """Why did the alerts fire? `reasons` has the columns of `explain.reasons`; `scores` are the
    probabilities that were logged with these alerts."""
    if reasons.empty and total:
        return Headline(
            "unknown",
            f"{total:,} {'alert' if total == 1 else 'alerts'} fired, and what moved the scores is "
            "not known: the model's file is not here.",
            "Adopt the version with its file ('aiops-wb models adopt --model-file') for reasons.",
        )
    if reasons.empty:
        return Headline("ok", "No alert fired on this day.", "Nothing to explain.")
    first = reasons.reason_1.value_counts()
    if first.empty:
        return Headline(
            "look",
            "No feature raised these scores above the model's average.",
            "Check that the features were logged.",
        )
    if otherwise := 0 if scores is None else _scored_otherwise(reasons, scores):
        return Headline(
            "look",
            f"{otherwise:,} of {len(reasons):,} alerts were logged with another score than the "
            "version's file gives their features: what follows explains the file.",
            "Find what differs between the service and the log, 'aiops-wb explain --id' shows one "
            "event: features before they are logged, or the file under the version's name.",
        )
    name, times = first.index[0], first.iloc[0]
    of = "the alerts" if shown == total else f"the {shown} riskiest of {total:,} alerts"
    push = reasons.push_1[reasons.reason_1 == name].mean()
    return Headline(
        "ok",
        f"{name} is the first reason in {percent(times / len(reasons))} of {of}; "
        f"its mean push is {number(push, 2)} log-odds.",
        "Compare with what the people on site see; reasons explain the model, not the world.",
    )
