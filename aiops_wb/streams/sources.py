"""The source that an address names; what it needs beside this package is loaded here."""

from pathlib import Path

from ..config import Address
from ..log.errors import StoreError
from .address import FORMS, place_of
from .consuming import Source
from .file_source import FileSource

__all__ = ["GROUP", "source_of"]

GROUP = "aiops-wb"
"The consumer group, unless another is named."


def source_of(address: Address | str, data: Path, group: str, owner: str | None = None) -> Source:
    """The source at an address. `data`: the data folder, where it is kept how far a file was read;
    `owner`: the group of this machine that may read it. StoreError where there is no such source;
    ModuleNotFoundError names the extra that it needs."""
    place = place_of(address, frozenset(("consumer",)))
    if place.sort == "http":
        forms = ", ".join(form for sort, form in FORMS.items() if sort != "http")
        raise StoreError(
            f"{place} is a web server, from which nothing is taken: give one of {forms}; whoever "
            "sends events by HTTP sends them to POST /events of 'aiops-wb serve'."
        )
    if place.sort == "file":
        return FileSource(place.path, data, owner)
    try:
        if place.sort == "redis":
            from .redis_source import RedisSource

            return RedisSource(place, group)
        from .kafka_source import KafkaSource

        return KafkaSource(place, group)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed: events of {place} need pip install "
            f"'aiops_wb[{place.sort}]'.",
            name=error.name,
        ) from None
