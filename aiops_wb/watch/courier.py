"""Sends messages by apprise, in a process of its own that can be ended at any time.

It is started by its path, so that it loads nothing of the workbench, reads its messages from the
standard input and answers each with a line of JSON. What apprise and its plugins print or log goes
nowhere, for addresses hold secrets.
"""

import json
import logging
import os
import re
import sys
import threading
from queue import SimpleQueue
from urllib.parse import unquote

__all__ = ["main", "sent"]

NAME = "aiops_wb"
SAID = 200
"Characters of a reason."


def main() -> None:
    "Send what the standard input says, all at once, and answer in the order in which that ends."
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    told, ended = json.load(sys.stdin), SimpleQueue()
    for place, one in enumerate(told):
        work = threading.Thread(target=lambda i, m: ended.put((i, sent(m))), args=(place, one))
        work.daemon = True
        work.start()
    for _ in told:
        place, problem = ended.get()
        print(json.dumps({"place": place, "problem": problem}), file=answers, flush=True)
    os._exit(0)  # no plugin of apprise is waited for


def sent(told: dict[str, str]) -> str | None:
    "Send a message (address, title, body, kind); why it was not taken, None when it was."
    import apprise

    log = logging.getLogger("apprise")
    log.propagate, log.handlers = False, [logging.NullHandler()]
    try:
        asset = apprise.AppriseAsset(app_id=NAME, app_desc=NAME, async_mode=False)
        to = apprise.Apprise(asset=asset)
        if not to.add(told["address"]):
            return "it is no address that apprise knows, or one that lacks a part"
        if "overflow=" not in told["address"]:
            for service in to:  # what is too long for a chat comes in parts, and is not refused
                service.overflow_mode = apprise.OverflowMode.SPLIT
        result = to.notify(
            told["body"],
            told["title"],
            notify_type=told["kind"],
            body_format=apprise.NotifyFormat.TEXT,
        )
    except Exception as error:  # whatever a plugin does costs this message, and no other
        return f"apprise failed: {type(error).__name__}"
    return None if result else _reason(result, told["address"])


def _reason(result, address):
    "What apprise says of a failure, where nothing of the address stands in it but its host."
    said = [" ".join(str(entry.message).split()).rstrip(".") for entry in result.logs()]
    kept = [text for text in said if not _tells(text, address)]
    return kept[-1][:SAID] if kept else "it was not taken"


def _tells(text, address):
    "Whether a text holds a part of an address that may be a secret."
    scheme, _, rest = address.partition("://")
    place, query = re.match(r"([^?#]*)(.*)", rest, re.DOTALL).groups()
    before, _, server = place.partition("/")[0].rpartition("@")
    host = server.partition(":")[0]
    values = [part.partition("=")[2] for part in re.split("[?&#]", query)]
    parts = [before, place.partition("/")[2], *values]
    parts += [] if re.fullmatch(_WITH_HOSTS, scheme.lower()) else [host]
    words = {word for part in parts for word in (part, unquote(part), *re.split("[:/,;@]", part))}
    words |= {unquote(word) for word in words}
    return any(word.lower() in text.lower() for word in words if len(word) >= SHORTEST)


SHORTEST = 4
"Parts of an address that are shorter are no secrets."
_WITH_HOSTS = r"(mailto|json|form|xml|http)s?"

if __name__ == "__main__":
    main()
