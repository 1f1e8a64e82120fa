-- How labels arrive: by day, band of score, and the age in days at which a label became known.
-- Changes, like all counts. The events of a band stand at the age at which they were logged.
CREATE TABLE arrival_counts (
    event_date DATE NOT NULL, tenant VARCHAR NOT NULL,
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    band TINYINT NOT NULL,        -- 0 low, 1 middle, 2 high
    age INTEGER NOT NULL,
    n BIGINT NOT NULL, n_negative BIGINT NOT NULL, n_positive BIGINT NOT NULL,
    batch_id BIGINT NOT NULL);

-- by the batch that brought them; days that were loaded later are counted anew by when their labels
-- were observed, as soon as the log is opened
INSERT INTO arrival_counts
SELECT event_date, tenant, model, version,
       CASE WHEN grid LIKE 'linear%' OR points < -1386 THEN 0 WHEN points < 405 THEN 1 ELSE 2 END,
       greatest(0, CAST(committed_at AT TIME ZONE zone AS DATE) - event_date),
       sum(n), sum(n_labelled - n_positive), sum(n_positive), batch_id
FROM score_counts
JOIN batches USING (batch_id)
CROSS JOIN (SELECT coalesce(max(value), 'UTC') AS zone FROM workbench WHERE key = 'timezone')
WHERE segment = ''
GROUP BY ALL;
