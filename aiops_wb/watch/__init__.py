"""One model on one day: what is asked of it, and what comes of it.

Answers: `view` puts them together from `quality`, `labels`, `scores`, `tickets` and
`other_thresholds`, which rest on the same `model_day`; `words` writes figures, `headlines` says
each answer in a sentence; `slider` packs counts for a page.
Stored: `figures` (of a day, for all tenants and each), `recalibrate` (what stands from the next day
on), `calibrate` (the same by hand).
Drift: `alarms` follows the streams of a version, `alarm_rows` keeps what opened and closed;
`marked` days are muted, or `holidays`.
Lived again: `relive` takes a `policy` through the `mornings` of a past, on counts that grow as they
were known (`lived`), with what was `given` and `heard` then; `became` says what came of it.
Handed on: `cases` (from a decision to somebody's desk), `sinks` (where they go).
"""
