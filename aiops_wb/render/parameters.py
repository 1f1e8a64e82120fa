"""What a report may be told: the parameters of its tagged cell, with types and ranges.

A line is a parameter: its name, what it is, what it is unless told, and behind `#` what is allowed
and what it means.

    top: int = 20      # 1..200, rows of the table
    by: str = "site"   # site | tenant, what is compared
    share: float = .5  # 0..1

Either end of a range may be left out. Nothing has to be imported to say so or to read it, and the
cell runs as it stands. Read by Python's own parser; no cell is run for it.
"""

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..log.errors import StoreError
from ..log.names import nearest

__all__ = [
    "TAG",
    "Parameter",
    "ParameterError",
    "NoParameters",
    "cells_of",
    "declared",
    "parameters_of",
    "shown",
    "told",
]

TAG = "parameters"
"The tag of the cell that declares parameters, as papermill knows it."


class ParameterError(StoreError):
    "A parameter that is not declared as it should be, or a value that is not allowed; a sentence."


class NoParameters(ParameterError):
    "A notebook without a cell that is tagged `parameters`."


_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list as JSON",
    "dict": "an object as JSON",
}
"What may be annotated -> what is allowed, in words."
_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})?\s*\.\.\s*({_NUMBER})?(?=$|[\s,;:])\s*[,;:]?\s*(.*)", re.I)
_CHOICES = re.compile(r"([^\s|,;]+(?:\s*\|\s*[^\s|,;]+)+)\s*[,;]?\s*(.*)")
_NOT_LITERAL = object()


@dataclass(frozen=True)
class Parameter:
    "A parameter of a report; `kind` is empty where nothing says what it is."

    name: str
    kind: str = ""
    default: Any = None
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()
    says: str = ""
    optional: bool = False

    @property
    def allowed(self) -> str:
        "What is allowed, in words."
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        what = _KINDS.get(self.kind, "any value")
        if self.lowest is not None and self.highest is not None:
            return f"{what} from {shown(self.lowest)} to {shown(self.highest)}"
        if self.lowest is not None:
            return f"{what} of at least {shown(self.lowest)}"
        return what if self.highest is None else f"{what} of at most {shown(self.highest)}"

    def read(self, text: str) -> Any:
        "The value that a text means; ParameterError when it is not allowed."
        try:
            text.encode()  # half an emoji, which no notebook takes
            return self.checked(_read(self.kind, text))
        except (ValueError, RecursionError, ParameterError):
            raise self._refused(text) from None

    def checked(self, value: Any) -> Any:
        "A value itself; ParameterError when it is not allowed."
        if value is None and (self.optional or not self.kind):
            return value
        of_kind = not self.kind or isinstance(value, _TYPES[self.kind])
        if not of_kind or (isinstance(value, bool) and self.kind in ("int", "float")):
            raise self._refused(value)
        if self.choices and str(value) not in self.choices:
            raise self._refused(value)
        if self.lowest is None and self.highest is None:
            return value
        low, high = self.lowest, self.highest
        inside = (low is None or value >= low) and (high is None or value <= high)
        if not inside:  # which what is no number is not either
            raise self._refused(value)
        return value

    def _refused(self, value):
        said = value if isinstance(value, str) else _as_text(value)
        return ParameterError(f"{self.name} = {said!r} is not allowed: {self.allowed} is needed.")


def _as_text(value):
    "A value as JSON has it; as Python has it where JSON knows no such value."
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError):
        return repr(value)


def shown(bound: float) -> str:
    "An end of a range as one would write it."
    return f"{bound:.0f}" if bound == round(bound) and abs(bound) < 1e15 else f"{bound:g}"


def _read(kind, text):
    "A text as a value of a kind; ValueError where it is none."
    if kind == "bool":
        return {"true": True, "false": False}[text.lower()] if _is_bool(text) else _no(text)
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text) if math.isfinite(float(text)) else _no(text)
    if kind in ("list", "dict"):
        return json.loads(text, parse_constant=_no)
    if kind:
        return text
    try:
        return json.loads(text, parse_constant=_no)
    except ValueError:
        return text


def _is_bool(text):
    return text.lower() in ("true", "false")


def _no(text):
    raise ValueError(text)


def cells_of(notebook: Path) -> list[Mapping]:
    "The cells of a notebook; ParameterError where the file is none."
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        cells = [{**cell, "source": "".join(cell["source"])} for cell in cells]
        for cell in cells:
            cell["source"].encode()  # half an emoji, of which no page can be written
        return cells
    except OSError as error:
        raise ParameterError(f"{notebook} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise ParameterError(f"{notebook} holds what is no text in UTF-8.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ParameterError(f"{notebook} is no notebook of version 4.") from None


def parameters_of(notebook: Path, cells: Sequence[Mapping] | None = None) -> tuple[Parameter, ...]:
    """The parameters that a notebook declares, in their order. NoParameters where it has no tagged
    cell, ParameterError where the cell or one of them cannot be used."""
    every = cells_of(notebook) if cells is None else cells
    tagged = [cell for cell in every if _is_tagged(cell)]
    if not tagged:
        raise NoParameters(f"{notebook} has no cell that is tagged '{TAG}'.")
    found = {}
    for cell in tagged:
        try:
            found |= {one.name: one for one in _declared(cell["source"])}
        except ParameterError as error:
            raise ParameterError(f"{notebook}: {error}") from None
        except _NOT_PYTHON as error:
            line = getattr(error, "lineno", None)
            where = f"{f'line {line} of ' if line else ''}the cell tagged '{TAG}'"
            raise ParameterError(f"{notebook}: {where} is not Python alone.") from None
    return tuple(found.values())


_NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"What Python's parser says of a text that it cannot read."


def declared(notebook: Path) -> set[str]:
    "Names of the parameters of a notebook; none where it has no tagged cell."
    tagged = [cell["source"] for cell in cells_of(notebook) if _is_tagged(cell)]
    return {name.id for source in tagged for name, *_ in _assigned(ast.parse(source))}


def _is_tagged(cell):
    metadata = cell.get("metadata")
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    return cell.get("cell_type") == "code" and isinstance(tags, list) and TAG in tags


def _declared(source) -> Iterable[Parameter]:
    "The parameters of a cell."
    assigned = list(_assigned(ast.parse(source)))
    said = _comments(source)
    for target, annotation, value, line in assigned:
        if value is None:
            raise ParameterError(
                f"{target.id} has no value: write the one that it has unless told."
            )
        yield _parameter(target.id, annotation, _literal(value), said.get(line, ""))


def _assigned(tree):
    "Name, annotation, value and last line of each assignment to a name."
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target, node.annotation, node.value, node.end_lineno
        elif isinstance(node, ast.Assign):
            names = (target for target in node.targets if isinstance(target, ast.Name))
            yield from ((name, None, node.value, node.end_lineno) for name in names)


def _comments(source):
    "What is said behind each line, by its number."
    told = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in told
        if token.type == tokenize.COMMENT
    }


def _literal(value):
    "The value that stands there; nothing that can be told where it has to be computed."
    try:
        return ast.literal_eval(value)
    except (TypeError, *_NOT_PYTHON):  # a list as a key is none of its values
        return _NOT_LITERAL


def _parameter(name, annotation, default, comment):
    kind, optional = _kind(name, annotation, default)
    lowest, highest, choices, says = _allowed(comment, kind)
    bounds = lowest, highest, choices, says, optional
    if default is _NOT_LITERAL:
        return Parameter(name, kind, None, *bounds)
    made = Parameter(name, kind, default, *bounds)
    made.checked(default)
    return made


def _kind(name, annotation, default):
    "What a parameter is, and whether it may be None; without an annotation its default tells."
    if annotation is None:
        kinds = (kind for kind in ("bool", "int", "float", "str", "list", "dict"))
        of = next((k for k in kinds if isinstance(default, _TYPES[k])), "")
        return of, False
    parts = _alternatives(annotation)
    names = [part.value if isinstance(part, ast.Subscript) else part for part in parts]
    known = [part.id for part in names if isinstance(part, ast.Name) and part.id in _KINDS]
    optional = len(names) == 2 and any(
        isinstance(part, ast.Constant) and part.value is None for part in names
    )
    if len(known) != 1 or len(names) != 1 + optional:
        raise ParameterError(
            f"{name} is annotated as {ast.unparse(annotation)}: "
            f"one of {', '.join(_KINDS)} is allowed, or one of them | None."
        )
    return known[0], optional


def _alternatives(annotation):
    "What stands between the bars of an annotation."
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_alternatives(annotation.left), *_alternatives(annotation.right)]
    return [annotation]


def _allowed(comment, kind):
    "Lowest, highest, choices, and what else is said, of what stands behind a parameter."
    if kind in ("int", "float") and (found := _RANGE.match(comment)):
        low, high, says = found.groups()
        if low or high:
            return _end(low), _end(high), (), says
    if kind in ("str", "int") and (found := _CHOICES.match(comment)):
        choices, says = found.groups()
        return None, None, tuple(one.strip().strip("\"'") for one in choices.split("|")), says
    return None, None, (), comment


def _end(text):
    "An end of a range; None where there is none, as every number lies within it."
    return float(text) if text and math.isfinite(float(text)) else None


def told(
    parameters: Sequence[Parameter],
    given: Mapping[str, str],
    kept: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Values of parameters from texts, each checked; ParameterError names the first that is not
    allowed or not there. `kept`: those that are not given so, and how they are."""
    by_name, values = {one.name: one for one in parameters}, {}
    for name, text in given.items():
        if name in kept:
            raise ParameterError(f"{name} is not given so: {kept[name]}.")
        if name not in by_name:
            free = [one for one in by_name if one not in kept]
            raise ParameterError(f"there is no parameter {name!r}{nearest(name, free)}")
        values[name] = by_name[name].read(text)
    return values
