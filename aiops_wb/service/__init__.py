"""A scoring service (extras api and ml): it decides one event after the other, and logs what it
decided.

`app` answers requests, `in_force` is what it decides by, taken from each snapshot that is
published, `journal` logs, and lets nothing that goes wrong there reach an answer; `tally` counts
for all processes together, each a `process`, which `workers` starts, starts again and ends.
"""

from .. import api  # noqa: F401 (says which extra is missing)
