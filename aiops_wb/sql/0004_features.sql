-- The type of a feature belongs to the feature. Append-only, like the rest, but for `unreadable`.

-- what a feature of a model is: the latest row counts; until it is fixed it widens with what comes
CREATE TABLE features (
    seq BIGINT NOT NULL, model VARCHAR NOT NULL, feature VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,        -- number | boolean | text | time
    fixed BOOLEAN NOT NULL,
    since TIMESTAMPTZ, who VARCHAR NOT NULL, why VARCHAR NOT NULL,
    batch_id BIGINT NOT NULL);    -- the last batch known then

CREATE TABLE feature_values (     -- how much was seen of a feature that is not fixed yet
    model VARCHAR NOT NULL, feature VARCHAR NOT NULL, event_date DATE NOT NULL,
    n BIGINT NOT NULL, batch_id BIGINT NOT NULL);

-- changes of the number of values that did not fit their feature: they count as missing, too
CREATE TABLE unreadable_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL, n BIGINT NOT NULL, batch_id BIGINT NOT NULL);

CREATE TABLE unreadable (         -- what was delivered for them, kept for a while
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL, prediction_id VARCHAR NOT NULL,
    raw VARCHAR NOT NULL, batch_id BIGINT NOT NULL);

-- what could be read when a feature was set to another kind: stands in for the missing value of
-- the row from this batch on
CREATE TABLE read_again (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL, prediction_id VARCHAR NOT NULL,
    raw VARCHAR NOT NULL, batch_id BIGINT NOT NULL);
