"""The `aiops-wb` command: one file for each group of commands, loaded when it is called."""

from .app import app, main

__all__ = ["app", "main"]
