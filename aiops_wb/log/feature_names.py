"""What people call the features of a model: a plain name and a unit, kept in the audit trail."""

import json
from datetime import datetime
from typing import NamedTuple

from .audit import AuditReads
from .base import known_by
from .errors import StoreError
from .feature_changes import FeatureChanges

__all__ = ["FeatureName", "FeatureNameReads", "FeatureNameWrites"]

_WHAT = "feature name"
_LONGEST = 60  # characters: it stands in a line of a ticket


class FeatureName(NamedTuple):
    "How a feature is written for people: `minute_of_day` as departure, in minutes."

    name: str
    unit: str = ""


class FeatureNameReads(AuditReads):
    "What features are called."

    def feature_names(self, model: str, as_of: datetime | None = None) -> dict[str, FeatureName]:
        "Feature -> its plain name and unit as known at a time, of those that somebody named."
        told = self._until_written("audit", "feature names", self._named)
        return {
            feature: FeatureName(**json.loads(new))
            for of, feature, new, at in told
            if of == model and known_by(at, as_of)
        }

    def _named(self):
        "Model, feature, name and unit as JSON, and since when; oldest first."
        rows = self._rows(
            "SELECT evidence, new, changed_at FROM audit WHERE what = $what ORDER BY seq",
            {"what": _WHAT},
        )
        return [(*json.loads(of), new, at) for of, new, at in rows]


class FeatureNameWrites(FeatureNameReads, FeatureChanges):
    "Name a feature."

    def name_feature(
        self,
        now: datetime,
        who: str,
        model: str,
        feature: str,
        name: str | None,
        unit: str | None,
        why: str,
    ) -> FeatureName:
        """Say what people call a feature and what it is measured in; what is None stays as it is,
        an empty name puts the feature's own back. StoreError when the model has no such feature, or
        a name is too long or more than a line."""
        self._require_feature(model, feature)
        stands = self.feature_names(model).get(feature, FeatureName(feature))
        named = FeatureName(
            stands.name if name is None else _checked(name) or feature,
            stands.unit if unit is None else _checked(unit),
        )
        if named != stands:
            new, of = json.dumps(named._asdict(), ensure_ascii=False), [model, feature]
            self.record(now, who, _WHAT, f"{model}/{feature}", new, why, of)
        return named


def _checked(text):
    "A name or a unit without blanks around it; StoreError where no line of a ticket can hold it."
    text = text.strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise StoreError(
            f"{text[:20]!r} is no name or unit for a feature: at most {_LONGEST} characters in one "
            "line are."
        )
    return text
