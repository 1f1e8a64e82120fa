"What a check of a workbench is asked about, and what it tells."

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from ..config import Settings
from .errors import StoreError
from .modes import gid_of

__all__ = ["Asked", "Check", "State", "Told", "ago"]

State = Literal["ok", "look", "wrong"]


class Asked(NamedTuple):
    "What a check is asked about: the settings of a workbench, at a time."

    settings: Settings
    now: datetime

    @property
    def data(self) -> Path:
        "The data folder."
        return Path(self.settings.data)

    @property
    def spool(self) -> Path:
        "Its spool, wherever that is."
        return Path(self.settings.spool_of(self.data))

    @property
    def gid(self) -> int | None:
        "The number of the group that may read; None without one, or where nobody knows it."
        try:
            return None if self.settings.group is None else gid_of(self.settings.group)
        except StoreError:
            return None


Told = Iterator[tuple[State, str, str]]
Check = Callable[[Asked], Told]
"What is found is yielded: state, what it says, what to do (empty where nothing is)."


def ago(span: timedelta) -> str:
    "A span of time in words."
    hours = max(0, span // timedelta(hours=1))
    words = f"{hours // 24} day" if hours >= 48 else f"{hours} hour"
    return words if words.startswith("1 ") else f"{words}s"
