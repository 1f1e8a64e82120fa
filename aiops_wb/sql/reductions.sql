-- Reductions of the log to additive counts, in plain ANSI SQL:
-- the same text runs on any engine that reads the files.
-- A cell holds 20 points and is named by its lowest one.
-- `predictions` and `outcomes` are one day's rows of one tenant, model and version;
-- outcomes are all rows known so far.

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
-- `predictions` of several days, tenants, models or versions; so below.
SELECT event_date, tenant, model, version, route, automated, COUNT(*) AS n
FROM predictions
WHERE route IS NOT NULL AND automated IS NOT NULL
GROUP BY event_date, tenant, model, version, route, automated

-- name: latency_counts
SELECT event_date, tenant, model, version, bin, COUNT(*) AS n, SUM(latency_ms) AS total_ms
FROM (SELECT event_date, tenant, model, version,
             CAST(FLOOR(16 * LN(CASE WHEN latency_ms < 0.000001 THEN 0.000001 ELSE latency_ms END)
                        / LN(2)) AS INTEGER) AS bin,
             latency_ms
      FROM predictions
      WHERE latency_ms IS NOT NULL) AS placed
GROUP BY event_date, tenant, model, version, bin

-- name: reviewed_counts
-- What went to review of the events whose chance of it was logged, by points and that chance.
SELECT p.event_date, p.points, p.propensity AS chance,
       COUNT(*) AS n, COUNT(l.label) AS n_labelled, COALESCE(SUM(l.label), 0) AS n_positive
FROM predictions AS p LEFT JOIN labels AS l ON p.prediction_id = l.prediction_id
WHERE p.propensity IS NOT NULL AND p.route IN ('ticket', 'alert')
GROUP BY p.event_date, p.points, p.propensity
