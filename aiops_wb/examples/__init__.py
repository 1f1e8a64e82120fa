"""Logs to try things on.

`flights` is a real one, `attendance` a simulated one whose truth is known; `stories` says what of
them is replayed with which models, `demo` replays a story as if it happened now.
"""
