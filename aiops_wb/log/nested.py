"""A column `features` that holds objects: as columns of their own, or a reason against the row."""

import json

import pandas as pd

from .canonical import missing

__all__ = ["holds_objects", "spread_objects"]


def holds_objects(column: pd.Series) -> bool:
    "Whether anything in a column is an object, or a text that begins like one."
    return any(isinstance(v, dict) or _begins_like_one(v) for v in column)


def _begins_like_one(value):
    return isinstance(value, str) and value.lstrip().startswith("{")


def spread_objects(column: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """The members of each row's object as columns, and the reason against each row (None: it could
    be read). A name is spelt as it was when it first came."""
    spelt, objects, reasons = {}, [], []
    for value, nothing in zip(column, missing(column)):
        try:
            objects.append({} if nothing else _members(value, spelt))
            reasons.append(None)
        except ValueError as error:
            objects.append({})
            reasons.append(f"features cannot be read: {error}")
    members = pd.DataFrame(objects, index=column.index, columns=list(spelt.values()), dtype=object)
    return members, pd.Series(reasons, index=column.index, dtype=object)


def _members(value, spelt):
    "The names and values of one object; ValueError where it is none."
    if isinstance(value, dict):
        told = _once(value.items())
    else:
        try:
            told = json.loads(value, object_pairs_hook=_once) if isinstance(value, str) else None
        except json.JSONDecodeError as error:
            raise ValueError(f"{error.msg} at character {error.pos + 1}") from None
        except RecursionError:
            raise ValueError("objects within objects without end") from None
    if not isinstance(told, dict):
        raise ValueError(f'{str(value)[:40]!r} is not an object such as {{"gps": 41}}')
    names = {spelt.get(name.casefold(), name): name for name in told}
    for name in names.values():
        known = spelt.get(name.casefold(), name)
        if known != name:
            raise ValueError(f"{name!r} is spelt {known!r} elsewhere: only case differs")
    spelt |= {name.casefold(): name for name in told}
    return told


def _once(pairs):
    "The pairs of an object; ValueError for a name that is empty, no text, or there twice."
    pairs = [(str(name), value) for name, value in pairs]
    names = [name.casefold() for name, _ in pairs]
    if "" in names:
        raise ValueError("a name is empty")
    if len(set(names)) < len(names):
        twice = next(name for name, folded in zip(dict(pairs), names) if names.count(folded) > 1)
        raise ValueError(f"{twice!r} is there twice")
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise ValueError("a name is not valid text") from None
    return dict(pairs)
