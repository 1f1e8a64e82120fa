"""Limits of the system that a call meets: one sentence that names the limit, and how to go on."""

import errno
import os
import resource

__all__ = ["LEAST_FILES", "LEAST_MEMORY", "limit_met", "too_low_a_limit"]

LEAST_MEMORY = 2 << 30
"Bytes of addresses without which libraries end the process where they stand, without a word."
LEAST_FILES = 64
"Files to be opened without which the database may end the process where it stands."
_A_PROCESSOR = 128 << 20  # each has threads, and each of these addresses of its own

_GO_ON = "and run it again; what was committed stays, and nothing is counted twice."
_MET = {
    errno.EMFILE: ("Too many open files",),
    errno.ENOSPC: ("No space left on device",),
    errno.EDQUOT: ("Disk quota exceeded", "Quota exceeded"),
    errno.EFBIG: ("File too large",),
    errno.ENOMEM: ("Out of Memory Error", "Cannot allocate memory", "std::bad_alloc"),
}
"Errors of the system, and how libraries tell of them."


def limit_met(error: BaseException) -> str | None:
    "A sentence about the limit that an error tells of, None where it tells of none."
    if isinstance(error, MemoryError):
        return _memory()
    text = str(error)
    for number, told in _MET.items():
        if getattr(error, "errno", None) == number or any(words in text for words in told):
            return _SAID[number]()
    return None


def too_low_a_limit() -> str | None:
    "A sentence where a limit is so low that nothing can be done; None where none is."
    return _too_little_memory() or _too_few_files()


def _too_few_files():
    allowed = _soft(resource.RLIMIT_NOFILE)
    if allowed is None or allowed - len(os.listdir("/dev/fd")) >= LEAST_FILES:
        return None
    return _files()


def _too_little_memory():
    allowed, least = _soft(resource.RLIMIT_AS), LEAST_MEMORY + _A_PROCESSOR * (os.cpu_count() or 1)
    if allowed is None or allowed >= least:
        return None
    return (
        f"this process may take {allowed >> 20:,} MB of memory (ulimit -v, RLIMIT_AS), and needs "
        f"{least >> 20:,} MB at least: raise the limit {_GO_ON}"
    )


def _soft(limit):
    "A limit as it is now, None without one."
    soft = resource.getrlimit(limit)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _files():
    most = _soft(resource.RLIMIT_NOFILE) or 0
    return (
        f"no more than {most:,} files may be open at once (ulimit -n, RLIMIT_NOFILE): raise the "
        f"limit {_GO_ON}"
    )


def _size():
    most = _soft(resource.RLIMIT_FSIZE)
    said = "than the file system takes" if most is None else f"than {most:,} bytes"
    return f"no file may be larger {said} (ulimit -f, RLIMIT_FSIZE): raise the limit {_GO_ON}"


def _memory():
    most = _soft(resource.RLIMIT_AS)
    if most is None:
        return (
            "there is not enough memory (of the machine, or memory_limit of the settings): free "
            f"some, or raise the limit, {_GO_ON}"
        )
    return (
        f"this process may take no more than {most >> 20:,} MB of memory (ulimit -v, RLIMIT_AS): "
        f"raise the limit {_GO_ON}"
    )


_SAID = {
    errno.EMFILE: _files,
    errno.ENOSPC: lambda: f"the disk is full: free some space {_GO_ON}",
    errno.EDQUOT: lambda: f"the disk quota of this user is used up: free some space {_GO_ON}",
    errno.EFBIG: _size,
    errno.ENOMEM: _memory,
}
