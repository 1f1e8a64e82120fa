"""Every threshold of a model in a notebook, under the hand: what it would have done, and a button
that proposes it.

The slider is that of the report *Thresholds*, over the same counts. They are read from the newest
snapshot, once, and nothing of the log stays open: a notebook that is left open blocks no night.
"""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from math import isnan
from pathlib import Path

import pandas as pd

from ..cli.arguments import as_instant
from ..cli.call import Call
from ..log.errors import StoreError
from ..render.tables import Table
from ..render.vocabulary import metric
from ..watch.words import number
from .chosen import choose
from .front import module
from .handed_in import Answer, answer_of, propose

try:
    import anywidget
    import traitlets as t
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.name} is not installed: a ThresholdExplorer needs pip install 'aiops_wb[lab]'."
    ) from None

__all__ = ["ThresholdExplorer"]

_SHOWN = {"alerts_per_day": 1, "tp": 0, "fn": 0, "fp": 0, "precision": 3, "recall": 3, "fpr": 3}
"What the table shows where no script runs, and with how many digits."


class ThresholdExplorer(anywidget.AnyWidget):
    """A slider over every threshold of a model's replayed days, with what each would have done, and
    a button that proposes the one that is shown.

    `data` is the folder of the log (None: as the settings have it), `model` may be left out where
    there is but one; `tenant` and `site` choose where it begins, `as_of` a past time (with its
    offset) as which all is known; `config` is a file of settings (None: the one that commands
    find). StoreError says what there is not.

    `value` (a score), `points` and `segment` follow the slider and move it; a threshold between two
    of its stops becomes the nearer one. `figures` are those of `stats.thresholds.simulate` there.
    """

    _esm = module()

    _data = t.Dict().tag(sync=True)
    _costs = t.Dict(allow_none=True).tag(sync=True)
    points = t.Int(help="the threshold that is shown, in points").tag(sync=True)
    segment = t.Unicode(help="whose events: all, or those of a tenant or site").tag(sync=True)
    state = t.Unicode(help="of the last proposal: waiting, done or refused").tag(sync=True)
    said = t.Unicode(help="the same in a sentence").tag(sync=True)
    value = t.Float(help="the threshold that is shown, as a score")
    figures = t.Dict(help="what it would have done, by name of the figure", read_only=True)

    def __init__(
        self,
        data: str | Path | None = None,
        model: str | None = None,
        *,
        tenant: str | None = None,
        site: str | None = None,
        as_of: str | datetime | None = None,
        config: str | Path | None = None,
    ) -> None:
        self._call = Call(*(None if path is None else Path(path) for path in (data, None, config)))
        self._as_of = None if as_of is None else _instant(as_of)
        self._of = choose(self._call, model, self._as_of)
        self._answer = Answer()
        begin = self._of.of(tenant, site)
        super().__init__(
            _data=dict(self._of.data),
            _costs=self._of.data["costs"],
            segment=begin.name,
            points=begin.edge,
        )
        self._follow()
        self.on_msg(self._heard)

    @property
    def model(self) -> str:
        "The model whose thresholds these are."
        return self._of.model

    @property
    def version(self) -> str:
        "Its version that decides."
        return self._of.version

    def propose(self, why: str) -> str:
        """Hand in a proposal of the threshold that is shown, and say what became of it. It decides
        nothing until somebody approves it.

        It is taken in at once where nobody else writes, else when the next run does; `state` and
        `said` tell it, here and under the slider. StoreError where it is refused.
        """
        self._tell(self._proposed(why))
        if self.state == "refused":
            raise StoreError(self.said)
        return self.said

    def answer(self) -> str:
        "What became of the last proposal by now; empty before the first."
        self._tell(answer_of(self._call, self._answer))
        return self.said

    def _proposed(self, why) -> Answer:
        "The answer to a proposal."
        if self._as_of is not None:
            past = f"this is what was known at {self._as_of}"
            return Answer("", "refused", f"{past}: a proposal is made of what is known now.")
        of = self._of.segment(self.segment)
        whose = {"tenant": of.tenant, "site": of.site}
        what = {"model": self.model, "version": self.version, "points": self.points, "why": why}
        what["if_in_force"] = of.threshold
        try:
            return propose(self._call, what | {k: v for k, v in whose.items() if v is not None})
        except StoreError as error:
            return Answer("", "refused", str(error))

    def _tell(self, answer: Answer):
        "Keep an answer, and show it in every view."
        self._answer = answer
        self.state, self.said = answer.state, answer.says
        self.send({"said": answer.says})

    def _heard(self, _, content: Mapping, __):
        "A button was pressed in a view."
        asked = content.get("propose")
        if asked is None:
            return
        try:
            self.segment, self.points = asked["segment"], asked["points"]
        except t.TraitError as error:
            self._tell(Answer("", "refused", str(error)))
        else:
            self._tell(self._proposed(asked["why"]))

    @t.validate("segment")
    def _known_segment(self, proposal):
        try:
            return self._of.segment(proposal.value).name
        except StoreError as error:
            raise t.TraitError(str(error)) from None

    @t.validate("points")
    def _stop(self, proposal):
        return self._of.segments[self.segment].nearest(proposal.value)

    @t.validate("value")
    def _score_of_stop(self, proposal):
        try:
            points = int(self._of.grid.quantise(proposal.value))
        except ValueError as error:
            raise t.TraitError(str(error)) from None
        return self._score(self._of.segments[self.segment].nearest(points))

    @t.observe("value")
    def _value_moved(self, change):
        self.points = int(self._of.grid.quantise(change.new))

    @t.observe("segment", "points")
    def _follow(self, _=None):
        "All that depends on the threshold that is shown."
        self.points = self._of.segments[self.segment].nearest(self.points)
        record = self._of.simulate(self.segment, self.points).record
        self.set_trait("figures", {name: of.candidate.value for name, of in record.items()})
        self.value = self._score(self.points)

    def _score(self, points):
        return float(self._of.grid.inverse(points))

    def __repr__(self) -> str:
        shown = f"{self.segment!r}, value={self.value:.4g}"
        return f"ThresholdExplorer({self.model!r}, {self.version!r}, {shown})"

    def _repr_mimebundle_(self, **options):
        "The widget; where none runs, a table of what the threshold would have done."
        told = super()._repr_mimebundle_(**options)
        if told is None:
            return None
        data, metadata = told
        return data | {"text/html": self._static()}, metadata

    def _static(self):
        of = self._of.segment(self.segment)
        record = self._of.simulate(self.segment, self.points).record
        at = {"here": self.points, "in force": of.edge}
        rows = [{"": "Threshold"} | {name: number(self._score(p)) for name, p in at.items()}]
        for name, digits in _SHOWN.items():
            both = record[name].candidate, record[name].current
            cells = {column: _written(x.value, digits) for column, x in zip(at, both)}
            rows.append({"": metric(name).title} | cells)
        says = f"{self.model} {self.version}, {of.name}. {self._of.data['says']} {of.says}"
        note = "Where a kernel runs, a slider over every threshold stands here."
        table = Table(pd.DataFrame(rows))._repr_html_()
        return f"<p>{escape(says)}</p>{table}<p>{note}</p>"


def _instant(given):
    "A time as which all is known."
    try:
        return as_instant(str(given))
    except ValueError as error:
        raise StoreError(f"as_of: {error}.") from None


def _written(x, digits):
    "A figure as the slider writes it."
    return "-" if isnan(x) else f"{x:,.{digits}f}"
