"""Spellings of earlier releases, put into today's words. They go with the next release."""

from collections.abc import Sequence

__all__ = ["translate"]

RENAMED = {
    "train": ("models", "train"),
    "activate": ("models", "promote"),
    "rollback": ("models", "rollback"),
    "calibrate": ("calibrations", "make"),
    "threshold": ("thresholds", "show"),
    "cases": ("cases", "send"),
    "drift": ("drift", "list"),
    "calendar": ("calendar", "list"),
    "sites": ("sites", "load"),
}
# an option of a command that has become a verb, and whether its value has become the argument
VERBS = {
    "calibrate": {"--list": ("calibrations", "list", False)},
    "cases": {"--list": ("cases", "list", False)},
    "drift": {"--explain": ("drift", "explain", False)},
    "calendar": {"--add": ("calendar", "add", True), "--remove": ("calendar", "remove", True)},
    "threshold": {
        "--try": ("thresholds", "simulate", True),
        "--set": ("thresholds", "set", True),
        "--rollback": ("thresholds", "rollback", False),
    },
    "sites": {"--file": ("sites", "load", True)},
}

# options that a command took and a verb has no use for, and whether they have a value
SPARE = {
    ("thresholds", "show"): {"--why": True},
    ("thresholds", "simulate"): {"--why": True},
    ("cases", "send"): {"--days": True},
    ("drift", "explain"): {"--days": True},
    ("calendar", "list"): {"--from": True, "--to": True, "--why": True, "--mute": False},
}


def translate(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    "The arguments as they are spelt today, and a warning when they were not."
    command, *rest = arguments or [""]
    if command == "models" and rest[:1] == ["activate"]:
        return ["models", "promote", *rest[1:]], None  # a word for the same, no old spelling
    if command == "audit" and not _names_a_verb(rest) and not _asks_for_help(rest):
        return ["audit", "list", *rest], None  # to list is what one wants of it
    if command not in RENAMED or (RENAMED[command][0] == command and _is_new(rest)):
        return list(arguments), None
    for option, (group, verb, valued) in VERBS.get(command, {}).items():
        if any(word.split("=")[0] == option for word in rest):
            words = _moved(rest, option) if valued else [w for w in rest if w != option]
            words = _without_spare(words, (group, verb))
            return [group, verb, *words], _warning(f"{command} {option}", group, verb)
    verb = RENAMED[command]
    return [*verb, *_without_spare(rest, verb)], _warning(command, *verb)


def _without_spare(words, verb):
    "The words without options that were taken and had no meaning."
    kept, words = [], list(words)
    while words:
        word = words.pop(0)
        name, joined, _ = word.partition("=")
        if name not in SPARE.get(verb, {}):
            kept.append(word)
        elif SPARE[verb][name] and not joined:
            words[:1] = []
    return kept


def _is_new(rest):
    "A command that was a command and is a group now is called as a group."
    return _names_a_verb(rest) or _asks_for_help(rest)


def _names_a_verb(rest):
    return bool(rest) and not rest[0].startswith("-")


def _asks_for_help(rest):
    return bool({"--help", "-h"} & set(rest))


def _moved(rest, option):
    "The words without an option; its value comes last, where it cannot be taken for an option."
    at = next(i for i, word in enumerate(rest) if word.split("=")[0] == option)
    _, joined, value = rest[at].partition("=")
    taken = [value] if joined else rest[at + 1 : at + 2]
    after = rest[at + 1 :] if joined else rest[at + 2 :]
    return [*rest[:at], *after, "--", *taken] if taken else [*rest[:at], *after]


def _warning(before, group, verb):
    return (
        f"'{before}' is spelt '{group} {verb}' now; the old spelling works until the next release."
    )
