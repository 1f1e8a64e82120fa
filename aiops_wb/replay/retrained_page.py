"""The page of retraining policies that were lived over a past (extras lab and ml)."""

from datetime import datetime
from pathlib import Path

import pandas as pd

from .. import __version__
from ..log.modes import make_folder
from ..log.names import file_name
from ..render.frame import Link, filled, write_whole
from ..render.plots.replayed import trained_again
from ..render.table import Table
from .page import Part, Story, as_picture, as_sentence
from .retrained import Retrained

__all__ = ["retrained_page", "write_retrained"]


def write_retrained(folder: Path, of: Retrained, now: datetime) -> Path:
    "Write the page into a folder, whole or not at all."
    path = Path(folder) / f"retraining-{file_name(of.model)}-{of.first}-{of.last}.html"
    make_folder(path.parent)
    write_whole(path, retrained_page(of, now))
    return path


def retrained_page(of: Retrained, now: datetime) -> str:
    "The page of retraining policies."
    state = "look" if of.answer.best else "unknown" if of.answer.unknown else "ok"
    labels = f"Labels are in up to {of.labels_in}" if of.labels_in else "No day's labels are in"
    rows = [
        {"policy": one.name, "how": one.words}
        | {k.replace("_", " "): _cell(v) for k, v in row.items() if k != "policy"}
        for one, row in zip(of.every, of.rows())
    ]
    return filled(
        "replay.html",
        f"{of.model}, {of.first} to {of.last}, trained again",
        model=of.model,
        first=of.first,
        last=of.last,
        known="Each training learned what was known on its morning, and its version is judged on "
        f"the days behind it alone. {labels}; never is {of.version}.",
        stories=[Story("", state, [of.answer.says])],
        recorded="",
        notes=[as_sentence(note) for note in of.notes],
        parts=[
            Part(
                "Over time",
                "Against never retraining.",
                picture=as_picture(trained_again(of.lost, of.answer.gains, of.unit)),
            ),
            Part(
                "In all",
                "Of days whose labels are in; calls of all days.",
                "",
                Table(pd.DataFrame(rows), ("policy", "how"))._repr_html_(),
            ),
        ],
        navigation=[Link("aiops_wb"), Link(f"{of.model} trained again")],
        footer=f"aiops_wb {__version__}, made {now:%Y-%m-%d %H:%M} UTC",
    )


def _cell(value):
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else value
