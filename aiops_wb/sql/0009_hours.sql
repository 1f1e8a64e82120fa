-- When events come: predictions by day and hour of the log's zone, for alarms about silence.
-- Changes, like all counts; a log that was made before is counted as soon as it is opened.
CREATE TABLE hour_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    hour TINYINT NOT NULL,        -- 0 to 23; an hour that is there twice is one
    n BIGINT NOT NULL, batch_id BIGINT NOT NULL);
