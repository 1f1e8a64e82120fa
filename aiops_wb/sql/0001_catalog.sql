-- The catalog of one workbench: what the log's files are, and everything derived from them.
-- Append-only: no primary keys, no indexes, no updates. What changed is a later row.

CREATE TABLE migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL);

-- what is fixed when a log is created: its time zone
CREATE TABLE workbench (key VARCHAR NOT NULL, value VARCHAR NOT NULL);

-- one row for each committed ingest transaction: what is known, since when
CREATE TABLE batches (
    batch_id BIGINT NOT NULL, kind VARCHAR NOT NULL, committed_at TIMESTAMPTZ NOT NULL,
    owner VARCHAR NOT NULL,
    loaded BIGINT NOT NULL, duplicates BIGINT NOT NULL, conflicts BIGINT NOT NULL,
    quarantined BIGINT NOT NULL);

CREATE TABLE segments (           -- every delivered file, by the hash of its content
    segment_id VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    name VARCHAR NOT NULL, bytes BIGINT NOT NULL,
    state VARCHAR NOT NULL,       -- ingested | repeated | corrupt
    detail VARCHAR, batch_id BIGINT NOT NULL);

-- the log: immutable Parquet files; a file that is not named here does not exist
CREATE TABLE data_files (
    kind VARCHAR NOT NULL, path VARCHAR NOT NULL,
    event_date DATE, tenant VARCHAR, model VARCHAR, version VARCHAR,
    grid VARCHAR, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, sites BOOLEAN,
    min_id VARCHAR NOT NULL, max_id VARCHAR NOT NULL,
    batch_id BIGINT NOT NULL);

-- rows that were not loaded, with the reason and all that was delivered
CREATE TABLE quarantine (
    batch_id BIGINT NOT NULL, kind VARCHAR NOT NULL, source VARCHAR NOT NULL, line BIGINT,
    reason VARCHAR NOT NULL, raw VARCHAR);

-- Counts are stored as changes: the state as of a batch is the sum of all changes up to it.
CREATE TABLE score_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    segment VARCHAR NOT NULL,     -- '' for everyone, 'site=...' on the coarse grid
    grid VARCHAR NOT NULL, points SMALLINT NOT NULL,
    n BIGINT NOT NULL, n_labelled BIGINT NOT NULL, n_positive BIGINT NOT NULL,
    batch_id BIGINT NOT NULL);

CREATE TABLE feature_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL, bin INTEGER NOT NULL, n BIGINT NOT NULL, batch_id BIGINT NOT NULL);

CREATE TABLE latency_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    bin INTEGER NOT NULL, n BIGINT NOT NULL, total_ms DOUBLE NOT NULL, batch_id BIGINT NOT NULL);

CREATE TABLE decision_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    route VARCHAR NOT NULL, automated BOOLEAN NOT NULL, n BIGINT NOT NULL,
    batch_id BIGINT NOT NULL);

-- registered versions; which one is active is the latest audit row
CREATE TABLE models (
    model VARCHAR NOT NULL, version VARCHAR NOT NULL, grid VARCHAR NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL, path VARCHAR NOT NULL, state VARCHAR NOT NULL);

CREATE TABLE calibrations (
    calibration_id VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL, through DATE, n BIGINT NOT NULL,
    q90 DOUBLE, q95 DOUBLE, q99 DOUBLE, state VARCHAR NOT NULL);

CREATE TABLE metrics (            -- tidy: one figure a row
    run_id VARCHAR NOT NULL, as_of TIMESTAMPTZ NOT NULL, event_date DATE NOT NULL,
    tenant VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    segment VARCHAR NOT NULL, metric VARCHAR NOT NULL,
    value DOUBLE, lower DOUBLE, upper DOUBLE, n BIGINT);

-- what the daily job did: one row for each step of a day and model
CREATE TABLE runs (
    run_id VARCHAR NOT NULL, event_date DATE NOT NULL, model VARCHAR NOT NULL,
    step VARCHAR NOT NULL,
    state VARCHAR NOT NULL,       -- ok | failed, or begun: a report that has not ended yet
    as_of TIMESTAMPTZ NOT NULL, batch_id BIGINT NOT NULL, started_at TIMESTAMPTZ NOT NULL,
    seconds DOUBLE NOT NULL, detail VARCHAR);

-- every change of a threshold, flag, model or calibration, chained by SHA-256
CREATE TABLE audit (
    seq BIGINT NOT NULL, changed_at TIMESTAMPTZ NOT NULL, who VARCHAR NOT NULL,
    what VARCHAR NOT NULL, subject VARCHAR NOT NULL,
    old VARCHAR, new VARCHAR, why VARCHAR NOT NULL, evidence VARCHAR, hash VARCHAR NOT NULL);
