"""The `aiops-wb` command: one file for each group of commands, loaded when it is called."""

from .signals import ending_at_once

with ending_at_once():  # loading takes a moment, in which somebody may think better of it
    from .app import app, main

__all__ = ["app", "main"]
