-- Drift: what it is measured against, what was found, and what was known beforehand.
-- Append-only, like the rest.

-- features of the days that a version was trained and tested on, in its own bins:
-- what later days are compared with
CREATE TABLE reference_counts (
    event_date DATE NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL, bin INTEGER NOT NULL, n BIGINT NOT NULL);

-- one row for each morning on which an alarm was opened, went on or was closed;
-- the latest as_of of a day counts
CREATE TABLE drift_events (
    event_id VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    -- what was asked: a feature, score, calibration, positive rate, share labelled, volume, latency
    stream VARCHAR NOT NULL,
    state VARCHAR NOT NULL,       -- opened | ongoing | closed
    kind VARCHAR NOT NULL,        -- covariate | label shift | concept | data quality
    severity VARCHAR NOT NULL,    -- low | medium | high | critical, by the size of the change
    log10_evidence DOUBLE,        -- above 0 it would raise the alarm on its own
    effect DOUBLE, lower DOUBLE, unit VARCHAR NOT NULL,
    since DATE NOT NULL,          -- when the change most likely began
    opened_on DATE NOT NULL, event_date DATE NOT NULL, muted BOOLEAN NOT NULL,
    title VARCHAR NOT NULL, text VARCHAR NOT NULL, as_of TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL);

CREATE TABLE calendar (           -- what was known beforehand; the latest row of an entry counts
    entry_id VARCHAR NOT NULL, first DATE NOT NULL, last DATE NOT NULL,
    model VARCHAR,                -- NULL: every model
    name VARCHAR NOT NULL, mutes BOOLEAN NOT NULL, removed BOOLEAN NOT NULL, who VARCHAR NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL);

-- the days that a figure is about; NULL in figures of older versions
ALTER TABLE metrics ADD COLUMN window_first DATE;
ALTER TABLE metrics ADD COLUMN window_last DATE;
