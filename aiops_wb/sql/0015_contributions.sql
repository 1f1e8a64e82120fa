-- How features pushed the scores of a day: sums over the predictions of it that were explained. Only
-- days are compared, so a later row of a day replaces an earlier one: predictions had come.
CREATE TABLE contribution_days (
    event_date DATE NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    feature VARCHAR NOT NULL,
    n BIGINT NOT NULL,            -- predictions that were explained
    total DOUBLE NOT NULL, squares DOUBLE NOT NULL,     -- of their contributions, in log-odds
    batch_id BIGINT NOT NULL,     -- the last one with predictions of the day
    known_at TIMESTAMPTZ NOT NULL);
