-- Who was forgotten, by keyed hashes (the key lies beside the catalog), and what stays of their rows:
-- counts without ids, which are added whenever a day is counted anew.

CREATE TABLE forgotten (
    kind VARCHAR NOT NULL,        -- entity | prediction | before: everything older
    hash VARCHAR,                 -- HMAC-SHA256 of the id; NULL: before
    tenant VARCHAR, model VARCHAR,      -- NULL: of any
    until TIMESTAMPTZ,            -- predictions until then; NULL: later ones, too
    forgotten_at TIMESTAMPTZ NOT NULL);

CREATE TABLE forgotten_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    segment VARCHAR NOT NULL, grid VARCHAR NOT NULL, points SMALLINT NOT NULL,
    n BIGINT NOT NULL, n_labelled BIGINT NOT NULL, n_positive BIGINT NOT NULL);

-- of days that were loaded later: their labels are counted by the age at which they were observed
CREATE TABLE forgotten_arrivals (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    band TINYINT NOT NULL, age INTEGER NOT NULL,
    n_negative BIGINT NOT NULL, n_positive BIGINT NOT NULL);

-- what the audit trail calls a case that somebody handled: a keyed hash of its id
CREATE TABLE case_names (case_id VARCHAR NOT NULL, name VARCHAR NOT NULL);
