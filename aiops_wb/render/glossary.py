"""The words of pages, each in a sentence or two: what a heading or the head of a column means.

A page explains the words that its own heads use, so that it can be read alone; the glossary beside
the front door has all of them.
"""

import re
from collections.abc import Iterable
from functools import cache
from html import unescape
from typing import NamedTuple

__all__ = ["GLOSSARY", "WORDS", "Word", "heads", "in_words", "linked", "words_of"]

GLOSSARY = "glossary.html"
"The page of all words, beside the front door."


class Word(NamedTuple):
    "A word, what it means, and how else pages write it."

    word: str
    means: str
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        "What a link to it leads to."
        return f"word-{re.sub(r'[^a-z0-9]+', '-', self.word.lower()).strip('-')}"


_MEANINGS = {
    "above the threshold": "Events whose score is at or above the threshold in force: somebody "
    "is called for them.",
    "accuracy": "Of the events whose label is known, the share that was classified rightly at "
    "the threshold.",
    "adjusted for late labels": "What is known, and for what is not yet known what the pace of "
    "labels on complete days lets expect.",
    "alarm": "Says that something changed by more than is tolerated. It may be looked at every "
    "day: the chance that any is ever false in a year is bounded by a setting.",
    "alert": "An event at or above the threshold. One that is certain enough becomes a ticket, "
    "any other waits for a person.",
    "arm": "One of the two versions or thresholds that an A/B test lets decide side by side: A is "
    "what stands, B is tried beside it.",
    "autocorrelation": "How much a day resembles the day before, from -1 to 1. Alarms take days "
    "as independent; where it is large, no level is claimed.",
    "automated": "Decided without a person.",
    "back-test": "What a rule would have done on past days, judged by the labels that are known "
    "now.",
    "Brier score": "The mean squared distance between score and label, 0 to 1; lower is better.",
    "calibration": "Whether events with a score of 0.7 turn out positive in seven of ten cases.",
    "calibration error": "The mean distance between the score and the share of positives at "
    "that score, 0 to 1; lower is better.",
    "calibration score": "How far a score may lie from the label in the days that a calibration "
    "rests on.",
    "candidate": "A threshold that is compared with the one in force; nothing is changed by "
    "looking.",
    "case": "What somebody works on: alerts of one entity belong to one.",
    "cohort": "The entities that were first seen on one day of an A/B test. They enter the "
    "comparison together, once their labels have had the time to come.",
    "delivery": "To which receiver a case was handed, and when; or that it was not taken. Of "
    "files: a folder of rows that a job of yours wrote, registered as a whole or not at all.",
    "challenger": "A version that scores in the shadow what another decides, to be compared "
    "with it.",
    "complete": "Days whose labels are in, as far as the way in which labels have arrived so "
    "far shows.",
    "coverage": "Of the events whose label is known, the share whose label lies in its "
    "prediction set.",
    "difference": "In units of the figure beside it; with its 95 % interval where one is known.",
    "drift": "A change of scores, features or labels against the days that a version is held "
    "against.",
    "due": "Of promises: those that can be judged by now, because the labels of their days are in.",
    "entity": "Whom or what an event is about: a person, a card, a flight.",
    "evidence": "How much likelier what was seen is if there is a change (or if a challenger is "
    "better) than if there is none. 20 is the usual bar for a single question.",
    "expected without labels": "What a figure would be if the scores were right as "
    "probabilities; no label is looked at.",
    "F1": "The harmonic mean of precision and recall, 0 to 1.",
    "false discovery rate": "Of the alerts whose label is known, the share that was negative; "
    "one minus precision.",
    "false positive rate": "Of all negative events, the share at or above the threshold.",
    "false positives": "Negative events at or above the threshold.",
    "feature": "A value that the model takes in.",
    "gain": "What a challenger lost less than the version that decides, a mean over events.",
    "group": "A tenant or a site, looked at on its own.",
    "held-out days": "The days of a version's training that it did not learn from.",
    "high risk": "Events whose risk level is HIGH or CRITICAL: HIGH begins at the threshold, "
    "unless a log keeps fixed cuts.",
    "in force": "What decides now.",
    "interval": "Of a figure: where the truth lies in 95 of 100 such cases, if the assumption "
    "named beside it holds. Of a score: between which shares such events are positive, by its "
    "calibration.",
    "Jensen-Shannon": "A distance between two distributions, from 0 (alike) to 1.",
    "kind": "Of a change: covariate (what the model takes in moved), label shift (positives "
    "became more or less frequent), concept (the same events turn out otherwise), data quality, "
    "or operation (the service itself).",
    "kept": "Of promises: those that held, as far as they are due.",
    "KS": "The largest gap between two distributions: the share of events that lie on another "
    "side of some value.",
    "label": "What turned out to be so: positive or negative. Events without one are "
    "unlabelled, never negative.",
    "labels up to": "The newest day whose labels are in.",
    "largest change": "Of a feature: the largest share of events that moved across a cut or to "
    "another category.",
    "latency": "Milliseconds that a scoring call takes; p95 is what 95 of 100 calls stay below.",
    "lift": "How many times more positives there are among the riskiest than among all.",
    "logged only": "Below the threshold: nobody is called.",
    "log loss": "What a score loses where it was wrong, in nats; lower is better.",
    "log-odds": "The logarithm of the odds of being positive: 0 at a probability of .5, 1 more "
    "multiplies the odds by 2.7.",
    "missing": "Events in which a feature has no value.",
    "negative": "An event whose label says that it was not what the model looks for.",
    "never seen": "Values of a feature that the training did not have.",
    "positive": "An event whose label says that it was what the model looks for.",
    "PR-AUC": "How well the order of scores finds positives: the mean precision over all "
    "thresholds, 0 to 1. Compare it with the positive rate, which chance would reach.",
    "nothing to judge": "Of promises: those of days on which nothing happened that they speak of.",
    "precision": "Of the alerts whose label is known, the share that was positive.",
    "prediction set": "The labels that a score does not rule out: one, both, or none.",
    "predictions": "Events that were scored on the day.",
    "promise": "A bound that was shown, written down, and scored when the labels of its days "
    "are in: kept, broken or unknown yet.",
    "PSI": "Population stability index: how far two distributions lie apart. Read it beside the "
    "level that it has without drift for as many events.",
    "quantile q": "The distance between score and label that the stated share of past events "
    "stayed within.",
    "risk": "The model's score, and how many of such events are positive by what is known of "
    "labels: the ends of the calibrated interval.",
    "reason": "A feature that moved a score, with the factor by which it multiplied the odds.",
    "recall": "Of the positive events whose label is known, the share at or above the threshold.",
    "recent change": "How far the last days lie from the reference, in the unit of the stream.",
    "reference": "The days that a version is held against: its held-out days, days that its "
    "owner named, or its first 28 complete ones.",
    "ROC-AUC": "The chance that a positive event has a higher score than a negative one; .5 is "
    "a toss.",
    "route": "Where an event goes: ticket, a person, or logged only.",
    "similar": "Earlier cases of the same entity, then of the same site with the same first "
    "reason, and how they ended.",
    "safeguard": "What has to hold before a version is trained or takes over.",
    "salt": "A word that is mixed into a draw by hash: whoever draws with the same one draws the "
    "same, and another one draws anew.",
    "score": "What the model says of an event; here a probability of being positive unless the "
    "page says otherwise.",
    "severity": "How grave an alarm is: low, medium, high or critical.",
    "shadow": "A version that scores along and decides nothing is in the shadow.",
    "share labelled": "Of the events of these days, the share whose label is known.",
    "site": "Where an event happened, inside a tenant.",
    "specificity": "Of the negative events, the share below the threshold.",
    "stream": "One question that is asked every day, such as whether a feature moved.",
    "tenant": "A customer or house whose events are kept apart from others'.",
    "threshold": "The score from which on somebody is called.",
    "ticket": "An alert that is certain enough to be acted on without a person.",
    "to a person": "Alerts that are not certain enough for a ticket, and wait for somebody.",
    "tolerated": "Changes up to this size raise no alarm.",
    "unreliable": "Figures whose intervals have held less often than they claim.",
    "version": "A model as it was trained once; exactly one of a model decides.",
    "waiting": "Cases that nobody has acknowledged or closed.",
    "width": "Of a probability interval: its upper end less its lower end.",
}
_ALSO = {
    "adjusted for late labels": ("adjusted",),
    "alarm": ("alarms",),
    "alert": ("alerts",),
    "automated": (
        "automated share",
        "without a person",
    ),
    "back-test": ("replayed",),
    "calibration": ("calibrated",),
    "case": ("cases",),
    "complete": (
        "complete days",
        "labels complete",
    ),
    "coverage": ("covered",),
    "expected without labels": ("expected",),
    "false discovery rate": ("false share",),
    "false positives": ("false",),
    "feature": ("features",),
    "held-out days": (
        "held out",
        "held-out figures",
    ),
    "interval": ("95 % interval",),
    "KS": (
        "largest gap",
        "KS p-value",
    ),
    "label": (
        "labels",
        "labelled",
        "labelled events",
    ),
    "latency": (
        "latency p50",
        "latency p95",
        "latency p99",
        "mean latency",
    ),
    "negative": (
        "negatives",
        "negatives left alone",
    ),
    "positive": (
        "positives",
        "positives caught",
        "positives missed",
        "caught",
        "missed",
        "positive rate",
    ),
    "prediction set": (
        "set sizes",
        "sets",
        "their set",
    ),
    "predictions": ("events",),
    "promise": (
        "promises",
        "promised",
        "promised at least",
        "promised at most",
    ),
    "PSI": ("PSI without drift",),
    "quantile q": ("quantile",),
    "reason": (
        "reasons",
        "first reason",
    ),
    "reference": ("reference days",),
    "safeguard": (
        "safeguards",
        "guard",
        "condition",
        "passes",
    ),
    "score": ("score falls by",),
    "site": ("tenant or site",),
    "stream": ("streams",),
    "threshold": ("thresholds",),
    "ticket": (
        "tickets",
        "false tickets",
    ),
    "to a person": ("tickets / person",),
    "version": (
        "versions",
        "trained from",
    ),
    "width": (
        "widest interval",
        "interval width",
    ),
    "unreliable": ("not to be relied on",),
}
"How else pages write a word."
WORDS = tuple(Word(word, means, _ALSO.get(word, ())) for word, means in _MEANINGS.items())

_HEADS = re.compile(
    r"<(?:th|h[1-3]|summary|title|dt)(?: [^>]*)?>(.*?)</|<td class=\"text\">([^<]*)</td>"
    r"|</b><span>([^<]*)</span>",
    re.DOTALL,
)
_TAGS = re.compile(r"<[^>]*>")
_CELL = re.compile(r"(<th(?: [^>]*)?>)([^<]+)(</th>)")


@cache
def _by_spelling() -> dict[str, Word]:
    return {said.lower(): word for word in WORDS for said in (word.word, *word.also)}


@cache
def _spelling() -> re.Pattern:
    "Any word of the glossary, the longest first."
    every = sorted(_by_spelling(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, every))})(?![\w-])")


def words_of(texts: Iterable[str]) -> list[Word]:
    "The words that texts use, in the order of the alphabet."
    found = {said for text in texts for said in _spelling().findall(text.lower())}
    used = {_by_spelling()[said] for said in found}
    return sorted(used, key=lambda word: word.word.lower())


def heads(html: str) -> list[str]:
    "The headings of a page, the heads of its columns and rows, and what its figures are called."
    return [unescape(_TAGS.sub("", "".join(one))) for one in _HEADS.findall(html)]


def in_words(head: str) -> Word | None:
    "The first word of the glossary in a head; None where it is plain."
    found = _spelling().search(head.lower())
    return _by_spelling()[found[0]] if found else None


def linked(html: str) -> str:
    "A page whose heads of columns lead to their words."
    return _CELL.sub(_link, html)


def _link(cell):
    word = in_words(unescape(cell[2]))
    if word is None:
        return cell[0]
    return f'{cell[1]}<a class="word" href="#{word.name}">{cell[2]}</a>{cell[3]}'
