"""The log and its catalog, one file a subject, its reads beside its writes.

Writing down: `spool` (loggers of any process), `buffer` (rows on their way), `open_file`,
`lifeline` (what becomes of rows when a process ends); one event with the standard library alone:
`event`, `plain`, `one_point`, `published`; many: `frames`, `tables`, `segment`; `durable`,
`columns`.
Taking in: `ingest` (the run), `leftovers` (of dead processes), `formats`, `canonical`, `delivered`,
`checks`, `day_files`.
Subjects: `batches`, `events`, `counts` and `recount`, `features`, `versions`, `calibrations`,
`cases`, `sites`, `drift_events`, `known_days` (the calendar), `holidays`, `results`,
`audit`.
Put together: `catalog.Reader`, `store.Store` (the one writer), `snapshot` (what is published).
Underneath: `duck`, `base`, `schema`, `locks`, `errors`.
"""
