"""Which column of a delivered file becomes what: decided in one place, on purpose, and said."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..stats.decisions import LEVELS
from ..stats.points import LIMIT, Grid
from .canonical import BOOLEANS, missing
from .columns import COLUMNS, LADDER, OUTCOME_NAMES, ROUTES
from .errors import StoreError
from .nested import holds_objects, spread_objects

__all__ = ["Choice", "Roles", "assign_roles", "FEATURE"]

FEATURE = "feature:"
"What stands before the name of a feature where it is a column beside those of the log."

_INDEX = re.compile(r"|Unnamed: ?\d+(_level_\d+)?(\.\d+)?|__index_level_\d+__|level_\d+")
_NUMBERED = ("index", "row", "rownames", "row_names", "rownum", "row_number")


@dataclass(frozen=True)
class Choice:
    "What a person said of a file's columns."

    mapping: Mapping[str, str] = field(default_factory=dict)  # our name -> the file's column
    constants: Mapping[str, str] = field(default_factory=dict)  # our name -> a value for all rows
    features: tuple[str, ...] | None = None  # only these (None: every column that is nothing else)
    exclude: tuple[str, ...] = ()  # never these

    def __bool__(self) -> bool:
        return bool(self.mapping or self.constants or self.exclude or self.features is not None)

    def outcome_columns(self, kind: str) -> tuple[tuple[str, str], ...]:
        """(column, what it is mapped as) of what a file of a kind has for outcomes; a name of our
        own says nothing new."""
        roles = set(COLUMNS["outcomes"])
        if kind == "predictions":
            roles -= set(COLUMNS[kind])
        return tuple((c, r) for r, c in self.mapping.items() if r in roles and r != c)


@dataclass(frozen=True, eq=False)
class Roles:
    "What became of each column of one file."

    ours: dict[str, str]  # our name -> the file's column
    features: tuple[str, ...]
    left_out: dict[str, str]  # column -> why it is not taken
    unasked: tuple[str, ...]  # not taken because nobody asked for it
    own: tuple[str, ...]  # features that are called like a column of the log
    frame: pd.DataFrame = field(repr=False)  # columns of the log, and features as `feature:...`
    reason: pd.Series = field(repr=False)  # against each row: its features cannot be read

    def said(self) -> tuple[str, ...]:
        "What a person should know of it, in sentences."
        parts = [f"{_shown(name)} ({why})" for name, why in self.left_out.items()]
        told = [f"not taken: {', '.join(parts)}"] if parts else []
        if self.own:
            told.append(
                f"taken as features, because what they hold is not what the log's columns of that "
                f"name hold: {', '.join(self.own)}"
            )
        return tuple(told)


def assign_roles(
    file: str,
    kind: str,
    frame: pd.DataFrame,
    choice: Choice,
    outcomes: Mapping[str, Mapping[str, str]],
) -> Roles:
    """What each column of a file becomes, and the columns themselves.

    `outcomes` is model -> the columns (in lower case) that are known to be outcomes of it and what
    they were mapped as. StoreError names what there is not.
    """
    frame.columns = [str(name) for name in frame.columns]
    frame, reason = _with_members(file, kind, frame, choice)
    choice = _with_full_names(frame, choice)
    _check_names(file, kind, frame, choice)
    ours, unused = _ours(kind, frame, choice)
    if kind == "outcomes":
        rest = _rest(frame, ours.values(), unused)
        return Roles(ours, (), unused, rest, (), _taken(frame, ours, ()), reason)
    never = _never(frame, ours, choice, outcomes)
    _check_chosen(file, frame, choice, never)
    features, left_out = _features(frame, ours, choice, unused | never)
    _check_alike(file, features)
    own = [name for name in features if name in COLUMNS[kind] and name not in ours.values()]
    told = tuple(own) if choice.features is None else ()
    rest = _rest(frame, ours.values(), features, left_out)
    return Roles(ours, features, left_out, rest, told, _taken(frame, ours, features), reason)


def _features(frame, ours, choice, barred):
    "The columns that become features; and those that do not without being told to: why."
    spoken_of = {*ours.values(), *choice.mapping.values(), *choice.exclude}
    features, left_out = [], {}
    for place, name in enumerate(frame.columns):
        why = barred.get(name) or _looks_like_index(frame, place, choice)
        asked = choice.features is not None and name in choice.features
        if asked or (choice.features is None and not why and name not in spoken_of):
            features.append(name)
        elif why and name not in spoken_of:
            left_out[name] = why
    return tuple(features), left_out


def _rest(frame, *used):
    "Columns that are in none of these."
    return tuple(name for name in frame.columns if not any(name in names for names in used))


def _with_members(file, kind, frame, choice):
    "The frame with the members of its objects in `features` as columns, and what cannot be read."
    nothing = pd.Series(None, index=frame.index, dtype=object)
    if kind != "predictions" or "features" not in frame or "features" in choice.mapping.values():
        return frame, nothing
    if len(frame) and not missing(frame.features).all() and not holds_objects(frame.features):
        return frame, nothing  # a column of one's own that happens to be called so
    members, reason = spread_objects(frame.features)
    beside = frame.drop(columns="features")
    spelt = {name.casefold(): name for name in beside.columns}
    for name in members.columns:
        if name.casefold() in spelt and name.casefold() not in COLUMNS[kind]:
            raise StoreError(
                f"{file} has {name!r} as a column and in its features: leave one of them out."
            )
    # a member that is called like a column of the log is a feature all the same
    clash = {n: FEATURE + n for n in members.columns if n.casefold() in COLUMNS[kind]}
    return pd.concat([beside, members.rename(columns=clash)], axis=1), reason


def _with_full_names(frame, choice):
    "The choice with members that are called like a column of the log under the name they stand in."

    def full(names):
        return tuple(FEATURE + n if n not in frame and FEATURE + n in frame else n for n in names)

    features = None if choice.features is None else full(choice.features)
    return replace(choice, features=features, exclude=full(choice.exclude))


def _check_names(file, kind, frame, choice):
    "StoreError when a column is named that there is not, here or in the file."
    known = {c for columns in COLUMNS.values() for c in columns}
    for names, allowed, what in (
        (choice.mapping, known, "mapped"),  # the same words serve for both kinds of one file
        (choice.constants, set(COLUMNS[kind]), "set"),
    ):
        unknown = sorted(set(names) - allowed)
        if unknown:
            raise StoreError(
                f"{unknown[0]!r} cannot be {what}: {kind} have the columns "
                f"{', '.join(COLUMNS[kind])}."
            )
    named = [*choice.mapping.values(), *(choice.features or ()), *choice.exclude]
    absent = sorted(set(named) - set(frame.columns))
    if absent:
        raise StoreError(
            f"{file} has no column {absent[0]!r}: its columns are "
            f"{', '.join(map(_shown, frame.columns)) or 'none'}."
        )
    both = sorted(set(choice.exclude) & {*choice.mapping.values(), *(choice.features or ())})
    if both:
        raise StoreError(f"{both[0]!r} is to be taken and to be left out: say one of the two.")


def _ours(kind, frame, choice):
    "Our name -> the file's column, and columns that are called like ours and not used: why."
    ours, unused = {}, {}
    for name in COLUMNS[kind]:
        used = choice.mapping.get(name)
        if used is not None:
            ours[name] = used
            if name in frame and name != used:
                unused[name] = f"{used} is read as {name}"
        elif name in choice.constants and name in frame:
            unused[name] = f"--set gives {name}"
        elif name in frame and name not in choice.exclude and name != "points":
            ours[name] = name
    grid = _grid(frame, ours, choice)
    foreign = [
        name
        for name, source in ours.items()
        if name == source and name not in choice.mapping and not _fits(name, frame[source], grid)
    ]
    for name in foreign:
        del ours[name]
    if kind == "predictions" and "points" in choice.mapping:
        raise StoreError("'points' cannot be mapped: points are made from the score.")
    if kind == "predictions" and "points" in frame and _are_points(frame, ours, grid):
        unused["points"] = "points are made from the score"
    if kind == "predictions" and "decided_by" in frame and _of_a_log(frame.decided_by):
        unused["decided_by"] = "the log says itself who decided"
    return ours, unused


def _grid(frame, ours, choice):
    "The grid that most scores of a file are on."
    if "grid" in choice.constants:
        return choice.constants["grid"]
    given = frame[ours["grid"]].dropna().astype(str).str.strip() if "grid" in ours else []
    return "linear" if (pd.Series(given, dtype=object) == "linear").mean() > 0.5 else "logit"


_WORDS = {
    "grid": set(LIMIT),
    "route": set(ROUTES),
    "risk_level": set(LEVELS),
    "automated": set(BOOLEANS),
}
_CHANCES = ("propensity", "arm_propensity")


def _fits(name, column, grid):
    "Whether at least half of what a column holds is what the log's column of its name may hold."
    if name not in (*_WORDS, "ladder", "threshold", "latency_ms", *_CHANCES):
        return True
    told = column[~missing(column)]
    if told.dtype == object:
        told = told[~told.map(lambda v: isinstance(v, (list, dict)))]
    if told.empty:
        return True
    if name in _WORDS:
        spelt = told.map(lambda v: str(v).strip())
        good = (spelt.str.lower() if name == "automated" else spelt).isin(_WORDS[name])
    elif name == "ladder":
        good = told.map(lambda v: bool(LADDER.fullmatch(str(v).strip())))
    else:
        numbers = pd.to_numeric(told, errors="coerce").astype(float)
        share = name in _CHANCES
        top = 1 if share or (name == "threshold" and grid == "logit") else np.inf
        good = numbers.between(-np.inf if grid == "linear" and not share else 0, top)
    return bool(good.mean() >= 0.5)


def _are_points(frame, ours, grid):
    "Whether a column `points` holds the points of the scores."
    told = pd.to_numeric(frame.points, errors="coerce").astype(float)
    if missing(frame.points).all():
        return True
    if "score" not in ours or grid not in LIMIT:
        return False
    scores = pd.to_numeric(frame[ours["score"]], errors="coerce").astype(float)
    both = told.notna() & scores.notna() & (scores.between(0, 1) if grid == "logit" else True)
    made = Grid(grid).quantise(scores[both].to_numpy())
    return bool(both.any()) and float(np.mean(made == told[both].to_numpy())) >= 0.5


def _of_a_log(decided_by):
    "Whether this column of a file is what a log says of its rows."
    return decided_by[~missing(decided_by)].isin(["workbench", "service"]).all()


def _never(frame, ours, choice, outcomes):
    "Columns that are no features, because they are outcomes: why."
    known = {}
    for model in _models(frame, ours, choice):
        for column, role in outcomes.get(model, {}).items():
            known[column] = f"mapped as {role} in a file of outcomes"
    for role, column in choice.mapping.items():
        if role not in COLUMNS["predictions"]:
            known[column.casefold()] = f"mapped as {role}"
    for name in OUTCOME_NAMES:
        known.setdefault(name, "an outcome: not known when the prediction was made")
    if "source" in frame:
        known.setdefault("source", "it says who told an outcome")
    named = {name: name.removeprefix(FEATURE).strip().casefold() for name in frame.columns}
    return {name: known[folded] for name, folded in named.items() if folded in known}


def _models(frame, ours, choice):
    "The models that the rows of a file are of."
    if "model" in choice.constants:
        return [choice.constants["model"]]
    if "model" not in ours:
        return []
    told = dict.fromkeys(map(str, frame[ours["model"]].dropna().tolist()))
    return list(dict.fromkeys(name.strip() for name in told))


def _check_chosen(file, frame, choice, never):
    "StoreError where an outcome is asked for as a feature."
    for name in choice.features or ():
        # `source` by its name alone may be anything; what was mapped is known to be an outcome
        if name in never and not never[name].startswith("it says"):
            raise StoreError(f"{file}: {name!r} cannot be a feature: {never[name]}.")


def _check_alike(file, features):
    "StoreError where two features would have one name."
    names = [name.removeprefix(FEATURE).casefold() for name in features]
    often = Counter(names)
    twice = [name for name, folded in zip(features, names) if often[folded] > 1]
    if twice:
        raise StoreError(
            f"{file}: the features {', '.join(twice)} differ in nothing but case: --exclude one."
        )


def _looks_like_index(frame, place, choice):
    "Why a column is no feature: it only numbers the rows, or has no name; None when it may be one."
    name = frame.columns[place]
    if _INDEX.fullmatch(name.strip()):
        return "an index" if name.strip() else "it has no name: an index?"
    numbered = [c for c in choice.mapping.values() if re.fullmatch(r"column\d+", c)]
    if name == f"column{place}" and not numbered:  # DuckDB's name of a column without one
        return "it has no name: an index?"
    if name.casefold() in _NUMBERED and _counts_rows(frame[name]):
        return "it numbers the rows"
    return None


def _counts_rows(column):
    "Whether a column holds 0, 1, 2 ... or 1, 2, 3 ..."
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    steps = np.arange(len(numbers))
    return len(numbers) > 1 and any(np.array_equal(numbers, steps + start) for start in (0, 1))


def _taken(frame, ours, features):
    "Columns of the log under their names, and features."
    columns = {name: frame[column] for name, column in ours.items()}
    named = {FEATURE + name.removeprefix(FEATURE): frame[name] for name in features}
    return pd.DataFrame(columns | named, index=frame.index, copy=False)


def _shown(name):
    "A column's name, where it has one."
    return str(name).removeprefix(FEATURE) or "''"
