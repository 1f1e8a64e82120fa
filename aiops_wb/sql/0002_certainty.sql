-- What tickets rest on and what became of them. Append-only, like the rest.

-- score counts of the days that training left out:
-- what a new version's first calibration rests on
CREATE TABLE held_out_counts (
    event_date DATE NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    grid VARCHAR NOT NULL, points SMALLINT NOT NULL,
    n BIGINT NOT NULL, n_labelled BIGINT NOT NULL, n_positive BIGINT NOT NULL);

CREATE TABLE sites (              -- who is asked about a site; the latest row of a site counts
    tenant VARCHAR NOT NULL, site_id VARCHAR NOT NULL, name VARCHAR, security_manager VARCHAR,
    manager VARCHAR, loaded_at TIMESTAMPTZ NOT NULL, who VARCHAR NOT NULL);

-- one row for each decision of high risk: a ticket (automatic) or an alert (for a person)
CREATE TABLE cases (
    case_id VARCHAR NOT NULL,     -- of the case it opened or joined
    kind VARCHAR NOT NULL,        -- ticket | alert
    state VARCHAR NOT NULL,       -- opened | joined | late: too old to be sent when it was found
    prediction_id VARCHAR NOT NULL, tenant VARCHAR NOT NULL, model VARCHAR NOT NULL,
    version VARCHAR NOT NULL, entity_id VARCHAR, site_id VARCHAR,
    predicted_at TIMESTAMPTZ NOT NULL, event_date DATE NOT NULL, points SMALLINT NOT NULL,
    probability DOUBLE NOT NULL, lower DOUBLE, upper DOUBLE,
    risk_level VARCHAR NOT NULL, automated BOOLEAN NOT NULL, calibration_id VARCHAR,
    assignee VARCHAR, role VARCHAR NOT NULL, workflow VARCHAR NOT NULL,
    title VARCHAR NOT NULL, text VARCHAR NOT NULL, reason VARCHAR NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL, batch_id BIGINT NOT NULL);

CREATE TABLE case_batches (       -- how far the log has been turned into cases
    batch_id BIGINT NOT NULL, opened BIGINT NOT NULL, joined BIGINT NOT NULL, late BIGINT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL);

CREATE TABLE deliveries (         -- every attempt to hand a case to a sink outside
    case_id VARCHAR NOT NULL, sink VARCHAR NOT NULL, state VARCHAR NOT NULL,  -- delivered | failed
    detail VARCHAR, attempted_at TIMESTAMPTZ NOT NULL);
