-- Reductions of the log to additive counts, in plain ANSI SQL: the same text runs on any engine that reads the files.
-- `predictions` and `outcomes` are one day's rows of one tenant, model and version; outcomes are all rows known so far.

-- name: labels
-- The label in force for each prediction: the latest batch wins, within a batch the latest observation.
SELECT prediction_id, label
FROM (SELECT prediction_id, label,
             ROW_NUMBER() OVER (PARTITION BY prediction_id ORDER BY batch_id DESC, observed_at DESC, label DESC) AS newest
      FROM outcomes) AS ranked
WHERE newest = 1

-- name: score_counts
SELECT site_id, points, cell, COUNT(*) AS n, COUNT(label) AS n_labelled, COALESCE(SUM(label), 0) AS n_positive
FROM (SELECT p.site_id, p.points, CAST(FLOOR(p.points / 20.0) * 20 AS SMALLINT) AS cell, l.label
      FROM predictions AS p LEFT JOIN labels AS l ON p.prediction_id = l.prediction_id) AS labelled
GROUP BY GROUPING SETS ((points), (site_id, cell))

-- name: unlabelled_score_counts
SELECT site_id, points, cell, COUNT(*) AS n, 0 AS n_labelled, 0 AS n_positive
FROM (SELECT site_id, points, CAST(FLOOR(points / 20.0) * 20 AS SMALLINT) AS cell FROM predictions) AS scored
GROUP BY GROUPING SETS ((points), (site_id, cell))

-- name: decision_counts
SELECT route, automated, COUNT(*) AS n
FROM predictions
WHERE route IS NOT NULL AND automated IS NOT NULL
GROUP BY route, automated

-- name: latency_counts
SELECT CAST(FLOOR(16 * LN(CASE WHEN latency_ms < 0.000001 THEN 0.000001 ELSE latency_ms END) / LN(2)) AS INTEGER) AS bin,
       COUNT(*) AS n, SUM(latency_ms) AS total_ms
FROM predictions
WHERE latency_ms IS NOT NULL
GROUP BY CAST(FLOOR(16 * LN(CASE WHEN latency_ms < 0.000001 THEN 0.000001 ELSE latency_ms END) / LN(2)) AS INTEGER)
