"""The log and its catalog, one file a subject, its reads beside its writes.

Writing down: `spool` (loggers of any process), `durable` (files that are safe), `columns`.
Taking in: `ingest` (the run), `formats`, `canonical`, `delivered`, `checks`, `day_files`.
Subjects: `batches`, `events`, `counts` and `recount`, `features`, `versions`, `calibrations`,
`cases`, `sites`, `drift_events`, `known_days` (the calendar), `results`, `audit`.
Put together: `catalog.Reader`, `store.Store` (the one writer), `snapshot` (what is published).
Underneath: `duck`, `base`, `schema`, `locks`, `errors`.
"""
