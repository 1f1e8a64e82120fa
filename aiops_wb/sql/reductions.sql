-- Reductions of the log to additive counts, in plain ANSI SQL:
-- the same text runs on any engine that reads the files.
-- A cell holds 20 points and is named by its lowest one.
-- `predictions` and `outcomes` are one day's rows of one tenant, model and version;
-- outcomes are all rows known so far.
-- A cast of a time to a date, and its hour, are those of the session's zone.

-- name: labels
-- The label in force for each prediction: the latest batch wins,
-- within a batch the latest observation.
SELECT prediction_id, label
FROM (SELECT prediction_id, label,
             ROW_NUMBER() OVER (
                 PARTITION BY prediction_id
                 ORDER BY batch_id DESC, observed_at DESC, label DESC) AS newest
      FROM outcomes) AS ranked
WHERE newest = 1

-- name: observed_labels
-- The same with the time at which it was observed.
SELECT prediction_id, label, observed_at
FROM (SELECT prediction_id, label, observed_at,
             ROW_NUMBER() OVER (
                 PARTITION BY prediction_id
                 ORDER BY batch_id DESC, observed_at DESC, label DESC) AS newest
      FROM outcomes) AS ranked
WHERE newest = 1

-- name: events
SELECT p.site_id, p.points, CAST(FLOOR(p.points / 20.0) AS SMALLINT) AS cell, l.label
FROM predictions AS p LEFT JOIN labels AS l ON p.prediction_id = l.prediction_id

-- name: unlabelled_events
SELECT site_id, points, CAST(FLOOR(points / 20.0) AS SMALLINT) AS cell
FROM predictions

-- name: events_by_day
-- `predictions` of several days, tenants, models or versions, to be counted together.
SELECT p.event_date, p.tenant, p.model, p.version,
       p.site_id, p.points, CAST(FLOOR(p.points / 20.0) AS SMALLINT) AS cell, l.label
FROM predictions AS p LEFT JOIN labels AS l ON p.prediction_id = l.prediction_id

-- name: counts_by_day
SELECT event_date, tenant, model, version, site_id, points, 20 * cell AS cell,
       COUNT(*) AS n, COUNT(label) AS n_labelled, COALESCE(SUM(label), 0) AS n_positive
FROM events
GROUP BY GROUPING SETS ((event_date, tenant, model, version, points),
                        (event_date, tenant, model, version, site_id, cell))

-- name: counts_with_sites
-- The whole population on the fine grid (site_id and cell are null)
-- and each site on the coarse one (points is null).
SELECT site_id, points, 20 * cell AS cell,
       COUNT(*) AS n, COUNT(label) AS n_labelled, COALESCE(SUM(label), 0) AS n_positive
FROM events
GROUP BY GROUPING SETS ((points), (site_id, cell))

-- name: counts
SELECT NULL AS site_id, points, NULL AS cell,
       COUNT(*) AS n, COUNT(label) AS n_labelled, COALESCE(SUM(label), 0) AS n_positive
FROM events
GROUP BY points

-- name: unlabelled_counts_with_sites
SELECT site_id, points, 20 * cell AS cell, COUNT(*) AS n, 0 AS n_labelled, 0 AS n_positive
FROM events
GROUP BY GROUPING SETS ((points), (site_id, cell))

-- name: unlabelled_counts
SELECT NULL AS site_id, points, NULL AS cell, COUNT(*) AS n, 0 AS n_labelled, 0 AS n_positive
FROM events
GROUP BY points

-- name: decision_counts
-- `predictions` of several days, tenants, models or versions, and their batches; so below.
SELECT event_date, tenant, model, version, route, automated, batch_id, COUNT(*) AS n
FROM predictions
WHERE route IS NOT NULL AND automated IS NOT NULL
GROUP BY event_date, tenant, model, version, route, automated, batch_id

-- name: latency_counts
SELECT event_date, tenant, model, version, bin, batch_id,
       COUNT(*) AS n, SUM(latency_ms) AS total_ms
FROM (SELECT event_date, tenant, model, version, batch_id,
             CAST(FLOOR(16 * LN(CASE WHEN latency_ms < 0.000001 THEN 0.000001 ELSE latency_ms END)
                        / LN(2)) AS INTEGER) AS bin,
             latency_ms
      FROM predictions
      WHERE latency_ms IS NOT NULL) AS placed
GROUP BY event_date, tenant, model, version, bin, batch_id

-- name: hour_counts
SELECT event_date, tenant, model, version, hour, batch_id, COUNT(*) AS n
FROM (SELECT event_date, tenant, model, version, batch_id,
             EXTRACT(HOUR FROM predicted_at) AS hour
      FROM predictions) AS placed
GROUP BY event_date, tenant, model, version, hour, batch_id

-- name: reviewed_counts
-- What went to review of the events whose chance of it was logged, by points and that chance.
SELECT p.event_date, p.points, p.propensity AS chance,
       COUNT(*) AS n, COUNT(l.label) AS n_labelled, COALESCE(SUM(l.label), 0) AS n_positive
FROM predictions AS p LEFT JOIN labels AS l ON p.prediction_id = l.prediction_id
WHERE p.propensity IS NOT NULL AND p.route IN ('ticket', 'alert')
GROUP BY p.event_date, p.points, p.propensity

-- name: retold
-- Events of which more than one label was told. Most have one, and ranking all of them costs some
-- engines more than all else.
SELECT prediction_id FROM outcomes
WHERE prediction_id IS NOT NULL
GROUP BY prediction_id HAVING COUNT(*) > 1

-- name: labels_by_batch
-- What each batch says of such an event: within a batch the latest observation.
SELECT prediction_id, label, observed_at, batch_id
FROM (SELECT o.prediction_id, o.label, o.observed_at, o.batch_id,
             ROW_NUMBER() OVER (
                 PARTITION BY o.prediction_id, o.batch_id
                 ORDER BY o.observed_at DESC, o.label DESC) AS newest
      FROM outcomes AS o JOIN retold AS r ON o.prediction_id = r.prediction_id) AS ranked
WHERE newest = 1

-- name: label_changes
-- What each batch says of an event beside what was said before it; the one without a next is in
-- force. One order serves all of it: another one is another sort.
SELECT prediction_id, label, observed_at, batch_id,
       LAG(label) OVER (PARTITION BY prediction_id ORDER BY batch_id) AS before,
       LAG(observed_at) OVER (PARTITION BY prediction_id ORDER BY batch_id) AS before_observed,
       LAG(batch_id) OVER (PARTITION BY prediction_id ORDER BY batch_id) AS before_in,
       LEAD(batch_id) OVER (PARTITION BY prediction_id ORDER BY batch_id) AS next_in
FROM labels_by_batch
UNION ALL
SELECT prediction_id, MIN(label) AS label, MIN(observed_at) AS observed_at,
       MIN(batch_id) AS batch_id, NULL AS before, NULL AS before_observed, NULL AS before_in,
       NULL AS next_in
FROM outcomes
WHERE prediction_id IS NOT NULL
GROUP BY prediction_id HAVING COUNT(*) = 1

-- name: moves
-- What each event adds to its cells, and in which batch: its label counts as soon as both are
-- known. `known`: since when each batch is.
SELECT event_date, tenant, model, version, site_id, points,
       CAST(FLOOR(points / 20.0) AS SMALLINT) AS cell, batch_id,
       1 AS n, 0 AS n_labelled, 0 AS n_positive
FROM predictions
UNION ALL
SELECT p.event_date, p.tenant, p.model, p.version, p.site_id, p.points,
       CAST(FLOOR(p.points / 20.0) AS SMALLINT) AS cell,
       CASE WHEN told.since >= logged.since THEN l.batch_id ELSE p.batch_id END AS batch_id,
       0 AS n,
       CASE WHEN l.label IS NULL THEN 0 ELSE 1 END
           - CASE WHEN l.before IS NULL THEN 0 ELSE 1 END AS n_labelled,
       COALESCE(l.label, 0) - COALESCE(l.before, 0) AS n_positive
FROM predictions AS p
JOIN label_changes AS l ON p.prediction_id = l.prediction_id
JOIN known AS logged ON logged.batch_id = p.batch_id
JOIN known AS told ON told.batch_id = l.batch_id
WHERE l.label IS DISTINCT FROM l.before

-- name: changes
-- What each batch changed in the counts: all of them up to a batch are the counts as of it.
SELECT event_date, tenant, model, version, site_id, points, 20 * cell AS cell, batch_id,
       SUM(n) AS n, SUM(n_labelled) AS n_labelled, SUM(n_positive) AS n_positive
FROM moves
GROUP BY GROUPING SETS ((event_date, tenant, model, version, batch_id, points),
                        (event_date, tenant, model, version, batch_id, site_id, cell))

-- name: placed_labels
-- Every label of an event: in which band of scores, known in which batch, and observed when, no
-- later than that; `bands` is one row with the points where the middle and the high one begin, and
-- `last_batches` the last one that changed each day.
SELECT p.event_date, p.tenant, p.model, p.version, l.label, l.observed_at, l.before, l.next_in,
       CASE WHEN p.grid LIKE 'linear%' OR p.points < b.middle THEN 0
            WHEN p.points < b.high THEN 1 ELSE 2 END AS band,
       CASE WHEN told.since >= logged.since THEN l.batch_id ELSE p.batch_id END AS batch_id,
       LEAST(l.observed_at, GREATEST(told.since, logged.since)) AS known_at,
       LEAST(l.before_observed, GREATEST(prior.since, logged.since)) AS before_at,
       d.batch_id AS last_batch, LEAST(l.observed_at, d.since) AS last_at
FROM predictions AS p
JOIN label_changes AS l ON p.prediction_id = l.prediction_id
JOIN known AS logged ON logged.batch_id = p.batch_id
JOIN known AS told ON told.batch_id = l.batch_id
LEFT JOIN known AS prior ON prior.batch_id = l.before_in
JOIN last_batches AS d ON d.event_date = p.event_date AND d.tenant = p.tenant
                      AND d.model = p.model AND d.version = p.version
CROSS JOIN bands AS b

-- name: observed
-- What each batch changed in the labels by the day on which they were observed. One that was
-- observed later than it was known moves on as long as its day changes. Each label is told once
-- where it begins (1), is taken from where the one before stood (2), and moves on (3, 4): a join
-- that is written once is made once by every engine.
SELECT event_date, tenant, model, version, band, batch_id, CAST(moment AS DATE) AS observed,
       SUM(n) AS n, SUM(n_positive) AS n_positive
FROM (SELECT event_date, tenant, model, version, band,
             CASE WHEN side <= 2 THEN batch_id ELSE last_batch END AS batch_id,
             CASE WHEN side = 2 THEN before_at WHEN side = 4 THEN last_at
                  ELSE known_at END AS moment,
             CASE WHEN side IN (1, 4) THEN 1 ELSE -1 END AS n,
             CASE WHEN side = 2 THEN -before WHEN side = 3 THEN -label ELSE label END AS n_positive
      FROM placed_labels CROSS JOIN (VALUES (1), (2), (3), (4)) AS sides(side)
      WHERE (side = 1 AND label IS NOT NULL) OR (side = 2 AND before IS NOT NULL)
         OR (side > 2 AND next_in IS NULL AND label IS NOT NULL AND observed_at > known_at)) AS moved
GROUP BY event_date, tenant, model, version, band, batch_id, CAST(moment AS DATE)
