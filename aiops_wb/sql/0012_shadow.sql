-- Two models on the same events, by day: the one that decides and one in its shadow. A later row of
-- a day replaces an earlier one: labels had come.
CREATE TABLE shadow_days (
    event_date DATE NOT NULL, model VARCHAR NOT NULL,
    champion VARCHAR NOT NULL, challenger VARCHAR NOT NULL,
    segment VARCHAR NOT NULL,     -- '' for everyone, 'tenant=...', 'site=...'
    n BIGINT NOT NULL,
    champion_calls BIGINT NOT NULL, challenger_calls BIGINT NOT NULL, both_call BIGINT NOT NULL,
    n_labelled BIGINT NOT NULL, n_positive BIGINT NOT NULL,
    champion_false BIGINT NOT NULL, challenger_false BIGINT NOT NULL,    -- called, and negative
    champion_missed BIGINT NOT NULL, challenger_missed BIGINT NOT NULL,  -- not called, and positive
    champion_loss DOUBLE NOT NULL, challenger_loss DOUBLE NOT NULL,      -- summed log loss, nats
    reasons BIGINT NOT NULL, reasons_changed BIGINT NOT NULL,  -- called by both; first reason differs
    known_at TIMESTAMPTZ NOT NULL);

CREATE TABLE shadow_counts (
    event_date DATE NOT NULL, model VARCHAR NOT NULL,
    champion VARCHAR NOT NULL, challenger VARCHAR NOT NULL,
    version VARCHAR NOT NULL,     -- whose scores: one of the two
    grid VARCHAR NOT NULL, points SMALLINT NOT NULL,
    n BIGINT NOT NULL, n_labelled BIGINT NOT NULL, n_positive BIGINT NOT NULL,
    known_at TIMESTAMPTZ NOT NULL);
