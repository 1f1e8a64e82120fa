"""The workbench over HTTP (extra api): snapshots are read, changes are handed to the one writer.

`app` puts it together; `desk` is what its answers rest on: the newest snapshot, and what was asked
of it before. `access` says who asks and what they may, `guard` what gets in at all, `problems` what
is told of an error. `ids` names a threshold in a URL, `shapes` what goes in and out. The others
are the routes, a subject each; `server` runs all of it.
"""

try:
    import fastapi  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is not installed: the API needs an extra, pip install 'aiops_wb[api]'."
    ) from None
