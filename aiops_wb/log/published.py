"""The types of a model's features, published beside the spool for whoever logs: read without the
database, with the standard library alone."""

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from .durable import write_durably
from .modes import make_in_spool
from .names import file_name

__all__ = [
    "KINDS",
    "published_text",
    "schema_path",
    "read_null_words",
    "read_schema",
    "write_schema",
]

KINDS = ("number", "boolean", "text", "time")
"What the values of a feature can be."


def schema_path(spool: str | Path, model: str) -> Path:
    "Where the types of a model's features stand. ValueError when no file can have its name."
    return Path(spool) / "schemas" / f"{file_name(model)}.json"


def read_schema(spool: str | Path, model: str) -> dict[str, str]:
    """Feature -> its kind, for those whose kind is fixed; empty where nothing is published or
    nothing can be read: a live service does not stop for it."""
    features = _published(spool, model).get("features")
    known = features.items() if isinstance(features, dict) else ()
    return {name: kind for name, kind in known if kind in KINDS}


def read_null_words(spool: str | Path, model: str) -> list[str]:
    """Words, in lower case, for a missing number of a model's features; none where nothing is
    published or nothing can be read."""
    words = _published(spool, model).get("null_words")
    return [word for word in words if type(word) is str] if isinstance(words, list) else []


def _published(spool, model):
    "What is published about a model."
    try:
        published = json.loads(schema_path(spool, model).read_text(encoding="utf-8"))
        return published if published["model"] == model else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def published_text(model: str, features: Mapping[str, str], null_words: Iterable[str] = ()) -> str:
    "What is published of a model; empty without a feature whose kind is fixed."
    if not features:
        return ""
    told = {"model": model, "features": dict(features), "null_words": sorted(null_words)}
    return json.dumps(told, sort_keys=True)


def write_schema(
    spool: str | Path, model: str, features: Mapping[str, str], null_words: Iterable[str] = ()
) -> None:
    """Publish the fixed kinds of a model's features, and the words for a missing value among them,
    whole or not at all; no features: no file.

    Nothing is written where the same stands there already.
    """
    path = schema_path(spool, model)
    if not features:
        path.unlink(missing_ok=True)
        return
    text = published_text(model, features, null_words)
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):  # none yet, or not readable: written anew
        pass
    # the name of a model may leave no room for a longer one
    aside = f".{uuid.uuid5(uuid.NAMESPACE_OID, path.name).hex}.tmp"
    make_in_spool(path.parent, writable=False)
    write_durably(path, text, aside=aside)
