"""The slider of a report: what a notebook shows of it, and the script that moves it in a page.

A page runs this one script, which its policy knows by its hash, and no other. What the script
reads stands in the page as an attribute: it is data there, whatever names are in it. A page that
was opened from a folder may load nothing from beside it, neither data nor a script, unless any
script there may run; so the counts travel inside the page, and those of tenants and sites in a page
of their own beside it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from ..stats.performance import confusion
from ..watch.slider import of_all, of_segments, parts_of
from ..watch.view import View
from ..watch.words import number
from .frame import SLIDER_SCRIPT, template, with_script
from .tables import Table, note
from .vocabulary import metric

__all__ = [
    "SEGMENTS",
    "SLIDER",
    "Segments",
    "Slider",
    "as_module",
    "as_text",
    "script",
    "scripted",
    "segment_sliders",
    "threshold_slider",
]

SLIDER = "application/vnd.aiops-wb.slider"
"The counts of a slider in a notebook: JSON in one line, which a notebook keeps as it is."

SEGMENTS = "application/vnd.aiops-wb.segments"
"The same of tenants and sites, for a page of their own."


def script() -> str:
    "The script of a slider, as it stands in a page."
    return scripted()["script"]


def as_module() -> str:
    "The slider for modules to import. No named `render` stands in its file: a widget has its own."
    return template("slider.js") + "\nexport { render };\n"


def scripted() -> dict[str, str]:
    "What a page with a slider has of its own: the script, and the policy that lets it run."
    return with_script(SLIDER_SCRIPT)


def as_text(data: Mapping) -> str:
    "Counts as a page holds them."
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, eq=False)
class Slider:
    "Counts that a page moves over; what stands there where no script runs."

    data: Mapping[str, Any]

    def _repr_mimebundle_(self, include=None, exclude=None):
        bands = [self.data.get(name) for name in ("flat", "promise")]
        says = [self.data["says"], *(band["says"] for band in bands if band)]
        note = "Where scripts run, a slider over every threshold stands here."
        html = "".join(f"<p>{escape(sentence)}</p>" for sentence in says)
        html += f'<p class="sub">{note}</p>'
        packed = as_text(self.data)
        return {"text/plain": "\n".join([*says, note]), "text/html": html, SLIDER: packed}


@dataclass(frozen=True, eq=False)
class Segments:
    "What the threshold in force does in each tenant and site, and counts to move over."

    table: Table
    data: Mapping[str, Any]
    unshown: int = 0  # smaller ones, which are not in the table

    def _repr_mimebundle_(self, include=None, exclude=None):
        html = self.table._repr_html_()
        if self.unshown:
            html += f'<p class="sub">{self.unshown:,} smaller ones are not in this table.</p>'
        return {
            "text/plain": repr(self.table),
            "text/html": html,
            SEGMENTS: as_text(self.data),
        }


def threshold_slider(view: View) -> Slider:
    "The slider over the replayed days of a view."
    return Slider(of_all(view))


def segment_sliders(view: View, shown: int = 20) -> Segments | Table:
    """Tenants and sites over the replayed days, the largest first: a table of some of them, and
    counts for a page beside. A note where there is but one of each."""
    parts = parts_of(view)
    if not parts:
        return note("there is one tenant and no second site: no parts to compare")
    table = Table(pd.DataFrame([_in_force(view, part) for part in parts[:shown]]))
    return Segments(table, of_segments(view, parts), len(parts) - len(table.frame))


def _in_force(view, part):
    "What the threshold that is in force in a part does there."
    alerts, cells = part.counts.at_or_above(part.edge)[0], confusion(part.counts, part.edge)
    return {
        "tenant or site": part.name,
        "threshold": number(view.probability(part.threshold)),
        "alerts a day": f"{alerts / view.other_thresholds.days_replayed:,.1f}",
        metric("tp").column: f"{cells.tp:,}",
        metric("fp").column: f"{cells.fp:,}",
    } | {
        metric(name).column: number(getattr(cells, name).value)
        for name in ("precision", "recall", "fpr")
    }
