"""Which engine counts: what it is called, and what it needs."""

from contextlib import closing
from pathlib import Path

from .engine import DuckEngine, Engine
from .errors import StoreError

__all__ = ["open_engine"]

_NEEDS = "{} is not installed: counting by Spark needs pip install 'aiops_wb[spark]'."


def open_engine(
    name: str, root: str | Path, zone: str, url: str | None = None, seen_as: str | None = None
) -> closing[Engine]:
    """An engine for the log in a folder whose days are those of `zone`, to be closed by `with`.

    spark: `url` is that of a Spark Connect server, `seen_as` what the folder is to that server (its
    own path). StoreError when its client is not installed, and when nobody answers there.
    """
    if name == "duckdb":
        return closing(DuckEngine(root, zone))
    if url is None:
        raise StoreError(
            "spark_url is not set: counting by Spark needs the address of a Spark Connect server, "
            "such as sc://localhost:15002."
        )
    try:
        from .spark import SparkEngine
    except ModuleNotFoundError as error:
        raise StoreError(_NEEDS.format(error.name)) from None
    return closing(SparkEngine(url, seen_as or Path(root).absolute(), zone))
