-- Every bound that is shown is a promise: a row when it is issued, and a row for each day, week or
-- year of it when that came due. Append-only; the latest row of a unit counts.
CREATE TABLE promises (
    seq BIGINT NOT NULL, promise_id VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,  -- '': of whatever version decides
    tenant VARCHAR NOT NULL, segment VARCHAR NOT NULL, -- '' for everyone, 'site=...'
    kind VARCHAR NOT NULL,        -- tickets | fpr | fdr | alerts | alarms | promotions
    unit VARCHAR NOT NULL,        -- day | week | year
    target DOUBLE,                -- NULL: nothing is promised any more
    confidence DOUBLE,            -- NULL: what is promised is the mean over units
    threshold INTEGER,            -- points, where the promise is one about a threshold
    starts DATE NOT NULL,         -- the first day that it speaks of
    evidence VARCHAR,             -- the id of the calibration or change that it stands with
    says VARCHAR NOT NULL,
    issued_at TIMESTAMPTZ NOT NULL, batch_id BIGINT NOT NULL);  -- what was known then

CREATE TABLE promise_units (
    promise_id VARCHAR NOT NULL, model VARCHAR NOT NULL,
    first DATE NOT NULL, last DATE NOT NULL,
    state VARCHAR NOT NULL,       -- kept | broken | not judged
    allowed DOUBLE NOT NULL, lost DOUBLE,   -- of the unit, 0 to 1; NULL: nothing could be judged
    n DOUBLE NOT NULL, bad DOUBLE NOT NULL, -- what was observed, missing labels counted against
    reason VARCHAR,               -- why it was not judged
    known_at TIMESTAMPTZ NOT NULL, batch_id BIGINT NOT NULL);

CREATE TABLE promise_looks (      -- how far days were looked at; the latest row of a model counts
    model VARCHAR NOT NULL, through DATE NOT NULL, batch_id BIGINT NOT NULL,
    known_at TIMESTAMPTZ NOT NULL);
