"What the pages of a service keep while it runs."

from dataclasses import dataclass, field

from .live import Live
from .sessions import Sessions
from .slow import Slowly

__all__ = ["Web"]


@dataclass(frozen=True)
class Web:
    "Sessions, what is slowed down, and who is told of changes."

    sessions: Sessions = field(default_factory=Sessions)
    slowly: Slowly = field(default_factory=Slowly)
    live: Live = field(default_factory=Live)
