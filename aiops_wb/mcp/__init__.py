"""The workbench for programs that speak the Model Context Protocol (extra mcp): they may read and
propose, and nothing else.

`server` names the tools; `questions` answers them from the newest snapshot, which is opened for
each and closed again; `proposing` hands a proposal to the one writer, for a person to approve.
`house` is what all of them are asked with, `plain` what an answer may hold and how much.
"""

try:
    import mcp  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is not installed: this command needs pip install 'aiops_wb[mcp]'."
    ) from None
