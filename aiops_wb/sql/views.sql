-- Views that every published snapshot carries, over its tables and the log's files.

-- name: labels
CREATE VIEW labels AS
SELECT prediction_id, label, observed_at, source, batch_id
FROM outcomes
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY prediction_id ORDER BY batch_id DESC, observed_at DESC, label DESC) = 1

-- name: interval_steps
-- The Venn-Abers interval by points of each calibration: a step begins at `start`.
CREATE VIEW interval_steps AS
SELECT calibration_id, unnest(CAST(json_extract(state, '$.bounds.starts') AS BIGINT[])) AS start,
       unnest(CAST(json_extract(state, '$.bounds.lower') AS DOUBLE[])) AS lower,
       unnest(CAST(json_extract(state, '$.bounds.upper') AS DOUBLE[])) AS upper
FROM calibrations
WHERE json_extract(state, '$.bounds') IS NOT NULL

-- name: noc_fraud_prediction_log
CREATE VIEW noc_fraud_prediction_log AS
WITH shown AS (
    SELECT p.*, 1 / (1 + exp(-p.points / 1000.0)) AS probability,
           l.label, l.batch_id AS label_batch_id,
           -- no row: unknown; no quantile: infinite
           CASE WHEN c.calibration_id IS NOT NULL THEN coalesce(c.q90, 'infinity'::DOUBLE) END
               AS q90,
           i.lower AS probability_lower_bound, i.upper AS probability_upper_bound
    FROM predictions p
    LEFT JOIN calibrations c ON c.calibration_id = p.calibration_id
    LEFT JOIN labels l ON l.prediction_id = p.prediction_id
    ASOF LEFT JOIN interval_steps i ON i.calibration_id = p.calibration_id AND i.start <= p.points)
SELECT prediction_id, tenant, model, version, entity_id, site_id, predicted_at, event_date,
       score AS fraud_probability,
       CASE WHEN q90 IS NOT NULL THEN greatest(0, probability - q90) END AS prediction_lower_bound,
       CASE WHEN q90 IS NOT NULL THEN least(1, probability + q90) END AS prediction_upper_bound,
       CASE WHEN q90 IS NOT NULL
           THEN least(1, probability + q90) - greatest(0, probability - q90) END
           AS confidence_interval_width,
       CASE WHEN q90 IS NOT NULL THEN greatest(0, 1 - q90) END AS calibration_score,
       probability_lower_bound, probability_upper_bound,
       probability_upper_bound - probability_lower_bound AS probability_interval_width,
       risk_level, route, automated, points, threshold, calibration_id, latency_ms,
       CAST(label AS BOOLEAN) AS actual_fraud_detected, features, batch_id, label_batch_id
FROM shown

-- name: score_counts_now
CREATE VIEW score_counts_now AS
SELECT event_date, tenant, model, version, segment, grid, points,
       sum(n)::BIGINT AS n,
       sum(n_labelled)::BIGINT AS n_labelled, sum(n_positive)::BIGINT AS n_positive
FROM score_counts
GROUP BY ALL
HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0
