"""A challenger is trained: here, or in a process of its own with a limit of time and of memory.

The process reads a published snapshot and leaves the trained version as files in a folder of its
own, so that nobody has to wait for the catalog while it learns. Killed at any moment, it leaves
nothing that would be taken for a version; asked again for the very same, what it had finished is
taken as it is.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from ..config import Settings
from ..log.catalog import Reader, open_snapshot
from ..log.errors import StoreError
from ..log.lease import training
from ..log.names import file_name
from ..log.processes import end_with, helper_environment, memory_of
from ..log.reading import half_of_the_machine
from .boosting import size_in_words
from .handover import Trained, forget_trained, read_trained, write_trained
from .training import train

__all__ = ["JobLimits", "Order", "clear_job", "serve", "train_challenger"]

GRACE = 600
"Seconds that a lease lasts longer than a training may: to read its rows, and to be ended."
_PAUSE = 0.1


@dataclass(frozen=True)
class JobLimits:
    "What a training in its own process may take: minutes, and MB of memory."

    minutes: float = 60
    memory: int = field(default_factory=half_of_the_machine)

    def __str__(self) -> str:
        return f"at most {self.minutes:g} minutes and {self.memory:,} MB of memory"

    @classmethod
    def of(cls, settings: Settings) -> "JobLimits":
        "The limits that are set."
        memory = {"memory": settings.retrain_memory} if settings.retrain_memory else {}
        return cls(settings.retrain_minutes, **memory)


@dataclass(frozen=True)
class Order:
    """What is to be trained: a version from days of a model's log as known at a time.

    `without` the rows of some tenants; `incomplete` and `unsure` as in `train`; `options` are more
    of its arguments (rounds, parameters, positive_weight, propensity, alerts_per_day ...).
    """

    model: str
    version: str
    first: date
    last: date
    as_of: datetime
    without: tuple[str, ...] = ()
    incomplete: str = ""
    unsure: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        "As `parse` reads it."
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> "Order":
        "What `as_json` wrote."
        told = json.loads(text)
        days = {name: date.fromisoformat(told[name]) for name in ("first", "last")}
        as_of, without = datetime.fromisoformat(told["as_of"]), tuple(told["without"])
        return cls(**told | days | {"as_of": as_of, "without": without})


def train_challenger(
    reader: Reader, order: Order, who: str, limits: JobLimits | None = None
) -> Trained:
    """The trained version and the counts of each of its held-out days; nothing is registered.

    With limits in its own process, from the newest published snapshot; without, in this one.
    StoreError says in a sentence why there is none; Busy, that another training runs.
    """
    seconds = {} if limits is None else {"seconds": limits.minutes * 60 + GRACE}
    with training(reader.root, who, **seconds) as lease:
        done = _trained(reader, order) if limits is None else _apart(reader.root, order, limits)
        lease.require()
    return done


def _trained(reader, order, say=lambda text: None) -> Trained:
    "Train in this process; `say` is told how much there is to learn from."
    rows = reader.rows(order.model, order.first, order.last, as_of=order.as_of)
    if len(rows):
        rows = rows[~rows.tenant.isin(order.without)].reset_index(drop=True)
    say(size_in_words(len(rows), sum(c.startswith("feature:") for c in rows)))
    return train(
        rows,
        order.model,
        order.version,
        kinds=reader.feature_kinds(order.model, order.as_of),
        allowed=reader.allowed_features(order.model),
        incomplete=order.incomplete,
        unsure=order.unsure,
        **order.options,
    )


def _apart(root, order, limits) -> Trained:
    "Train in a process of its own, or take what one has finished of the very same order."
    folder = _folder(root, order)
    if _ordered(folder) == order.as_json() and (done := read_trained(folder)) is not None:
        return done
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(order.as_json(), encoding="utf-8")
    named = f"{order.model} {order.version}"
    why = _ended(folder, limits)
    done = None if why else read_trained(folder)
    if done is None:
        raise StoreError(_sentence(folder, named, why))
    return done


def clear_job(root: Path, order: Order) -> None:
    "Remove what the process of a training left that was registered since; its log stays."
    forget_trained(_folder(root, order))


def _folder(root, order) -> Path:
    return Path(root).resolve() / "training" / file_name(order.model) / file_name(order.version)


def _ordered(folder) -> str:
    "The order that a folder is of; empty where it is new."
    with suppress(FileNotFoundError):
        return _read(folder / "order.json")
    return ""


def _read(path) -> str:
    return path.read_text(encoding="utf-8")


def _ended(folder, limits) -> str:
    "Run the process of a training; why it was ended or died, empty where it came to its end."
    served = f"from {__name__} import serve; serve()"
    cores = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))}
    with open(folder / "training.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", served, folder],
            stdin=subprocess.PIPE,  # its end tells the process that this one has ended
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=os.sep,
            env=helper_environment() | cores,
            start_new_session=True,
        )
        with process:
            try:
                return _watched(process, limits, monotonic() + limits.minutes * 60)
            finally:
                process.kill()  # which does nothing to one that has ended


def _watched(process, limits, until) -> str:
    "Wait for a process until it ends, its time is over, or it takes too much memory."
    while (code := process.poll()) is None:
        if monotonic() >= until:
            return f"was ended after {limits.minutes:g} minutes (retrain_minutes)"
        if (taken := memory_of(process.pid)) > limits.memory:
            return (
                f"was ended when it took {taken:,} MB of memory, more than {limits.memory:,} "
                "(retrain_memory)"
            )
        sleep(_PAUSE)
    return f"was killed by signal {-code}" if code < 0 else ""


def _sentence(folder, named, why) -> str:
    "Why a training gave nothing."
    log = folder / "training.log"
    if why:
        return f"the training of {named} {why}; its log is {log}."
    if (folder / "refused.txt").exists():
        return _read(folder / "refused.txt")
    last = (_read(log).strip().splitlines() or ["it said nothing"])[-1]
    return f"the training of {named} failed ({last}); its log is {log}."


def serve() -> None:
    "The life of a training's process: it trains what the order in its folder says."
    end_with(0)
    folder = Path(sys.argv[1])
    order = Order.parse(_read(folder / "order.json"))
    try:
        # <data>/training/<model>/<version>
        with open_snapshot(folder.parents[2]) as reader:
            write_trained(folder, *_trained(reader, order, print))
    except StoreError as error:
        (folder / "refused.txt").write_text(str(error), encoding="utf-8")
