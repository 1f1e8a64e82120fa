"""A workbench that finds its data: `Workbench()`, where commands find theirs."""

import copy
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings, load_settings
from .card import cards
from .model import Model
from .published import Asked, Published, day_of, instant_of

if TYPE_CHECKING:  # it is loaded when it is asked for
    from .comparison import Compared

__all__ = ["Workbench"]


class Workbench:
    """The log of a data folder: `wb[model]` has every question to a model.

    `data` and `config` are found as commands find them where they are not named: from `AIOPS_...`
    variables and `aiops.toml` here, in a folder above, or in the data folder. `day` is the day that
    questions are about (None: the newest of each model), `as_of` a time with its offset as which
    all is known (None: now). StoreError and SettingsError say what there is not, and what to do.

    It reads the newest published snapshot, read-only, and looks for a newer one before each
    question: a notebook that is left open holds up no night.
    """

    def __init__(
        self,
        data: str | Path | None = None,
        day: date | str | None = None,
        as_of: datetime | str | None = None,
        config: str | Path | None = None,
    ) -> None:
        told = {"data": data, "config": config}
        settings = load_settings(**{k: Path(v) for k, v in told.items() if v is not None})
        self._day, self._as_of = day_of(day), instant_of(as_of)
        self._published = Published(settings)
        self._published.reader()

    @property
    def models(self) -> tuple[str, ...]:
        "Names of the models that were logged or registered."
        return tuple(self._published.reader().models())

    @property
    def data(self) -> Path:
        "The data folder."
        return self.settings.data

    @property
    def settings(self) -> Settings:
        "The settings, as commands have them."
        return self._published.settings

    @property
    def day(self) -> date | None:
        "The day that questions are about; None: the newest of each model."
        return self._day

    @property
    def as_of(self) -> datetime | None:
        "The time as of which all is known; None: now."
        return self._as_of

    def at(self, day: date | str | None = None, as_of: datetime | str | None = None) -> "Workbench":
        "The same workbench on another day, or as it was known at another time."
        other = copy.copy(self)
        other._day = day_of(day) or self._day
        other._as_of = instant_of(as_of) or self._as_of
        return other

    def compare(
        self,
        a: "str | Model",
        b: "str | Model",
        first: date | str | None = None,
        last: date | str | None = None,
        *,
        days: int = 30,
        tenant: str | None = None,
    ) -> "Compared":
        """Two models on the events that both scored: what each loses, and where they disagree at
        their thresholds, with intervals over days; of the last `days` days unless others are
        named."""
        from .comparison import compare

        named = [model.name if isinstance(model, Model) else model for model in (a, b)]
        at = self._day, self._as_of, self._published.reader()  # one snapshot for both
        both = [Asked(self._published, name, *at) for name in named]
        return compare(*both, first, last, days, tenant)

    def close(self) -> None:
        "Close the snapshot; the next question opens the newest again."
        self._published.close()

    def __getitem__(self, model: str) -> Model:
        return Model(Asked(self._published, model, self._day, self._as_of))

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, model: object) -> bool:
        return model in self.models

    def __enter__(self) -> "Workbench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if not name.startswith("_"))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.models)

    def _repr_html_(self) -> str:
        return cards(self._published, self._day, self._as_of)._repr_html_()

    def __repr__(self) -> str:
        return repr(cards(self._published, self._day, self._as_of))
