-- Columns of delivered files that are known to be parts of an outcome: no model may learn from them.
-- Append-only; the latest row of a model and column counts.
CREATE TABLE outcome_columns (
    model VARCHAR,                -- NULL: of a file of outcomes whose predictions are not known yet
    name VARCHAR NOT NULL,        -- in lower case
    role VARCHAR NOT NULL,        -- what it was mapped as: label, observed_at, source ...
    is_outcome BOOLEAN NOT NULL,  -- false: it was taken back
    batch_id BIGINT NOT NULL);
