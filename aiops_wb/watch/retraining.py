"""What a person should know of retraining, in a sentence."""

from collections.abc import Sequence

from ..models.guards import Guarded
from ..models.validation import Validation
from ..stats.retrain import Check
from .headlines import Headline

__all__ = ["retrain_headline", "waiting"]


def retrain_headline(
    checks: Sequence[Check], shadows: Sequence[Validation], promoted: Guarded | None
) -> Headline:
    "Should we retrain, and is a retrained model better?"
    stopped = "; ".join(c.reason for c in checks if not c.passed)
    allowed = (
        f"Retraining is blocked: {stopped}."
        if stopped
        else "Retraining may start: every safeguard passes."
    )
    if promoted is not None and promoted.mistaken:
        why = "; ".join(check.reason for check in promoted.mistaken)
        return Headline(
            "look",
            f"The promotion of {promoted.pair.champion} looks like a mistake: {why}.",
            f"'aiops-wb models rollback' puts {promoted.pair.challenger} back. {allowed}",
        )
    if not shadows:
        return Headline(
            "ok" if stopped else "look",
            allowed,
            "No version is in the champion's shadow; 'aiops-wb retrain' trains one without "
            "switching it on (--override WHY where a safeguard stops it).",
        )
    return _of_shadow(shadows[0], allowed)


def _of_shadow(best: Validation, allowed: str) -> Headline:
    "What is known of the version in shadow that has shown most."
    pair, said = best.pair, best.comparison.reason
    if best.passes:
        return Headline(
            "look",
            f"{pair.challenger} is better than {pair.champion}: {said}.",
            f"Read the comparison, then 'aiops-wb models promote'. {allowed}",
        )
    others = [c.reason for c in best.checks[1:] if not c.passed]
    if best.comparison.better and others:
        return Headline(
            "look",
            f"{pair.challenger} is better than {pair.champion}, but may not take over: "
            f"{'; '.join(others)}.",
            f"Keep the champion, or promote it by hand. {waiting(best)} {allowed}",
        )
    return Headline(
        "ok",
        f"{pair.challenger} is not shown to be better than {pair.champion}: {said}.",
        f"Keep the champion. {waiting(best)} {allowed}",
    )


def waiting(best: Validation) -> str:
    "What another week of waiting costs, as far as it is known."
    told, blocks = best.comparison, best.paired.blocks()
    if not blocks:
        return "No week of shadow has its labels yet: what waiting costs is not known."
    events = sum(block.n for block in blocks) / len(blocks)
    low, high = told.lower * events, told.upper * events
    return (
        f"A week of waiting costs {told.gain * events:+,.1f} {best.unit} on some {events:,.0f} "
        f"labelled events (95 % interval {low:+,.1f} to {high:+,.1f}); below zero, waiting saves."
    )
