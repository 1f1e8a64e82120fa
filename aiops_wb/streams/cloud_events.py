"""CloudEvents 1.0 (cloudevents.io) as JSON, and back."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["MEDIA_TYPE", "BATCH", "CloudEvent", "is_cloud_event", "read_cloud_event"]

MEDIA_TYPE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
VERSION = "1.0"


class CloudEvent(NamedTuple):
    "An event in its envelope: `source` and `id` together are given to no other event."

    id: str
    source: str
    type: str
    data: Any = None
    time: str | None = None  # as written, RFC 3339
    subject: str | None = None

    def as_object(self) -> dict[str, Any]:
        "The event in structured mode, what is not told left out."
        told = {"specversion": VERSION, **self._asdict()}
        if self.data is not None:
            told["datacontenttype"] = "application/json"
        return {name: value for name, value in told.items() if value is not None}

    def as_json(self) -> str:
        "The event in structured mode on one line."
        return json.dumps(self.as_object(), ensure_ascii=False, separators=(",", ":"))


def is_cloud_event(event: Mapping[str, Any]) -> bool:
    "Whether an object is meant to be one."
    return "specversion" in event


def read_cloud_event(event: Mapping[str, Any]) -> CloudEvent:
    "An event in structured mode; ValueError says what it lacks."
    if event.get("specversion") != VERSION:
        raise ValueError(f"specversion is {event.get('specversion')!r}: {VERSION!r} is read.")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise ValueError(f"{name} of a CloudEvent is a text that is not empty.")
    for name in ("time", "subject"):
        if not isinstance(event.get(name), str | None):
            raise ValueError(f"{name} of a CloudEvent is a text.")
    if "data_base64" in event:
        raise ValueError("data_base64 is not read: give data as JSON.")
    told = {name: event.get(name) for name in CloudEvent._fields}
    return CloudEvent(**told)
