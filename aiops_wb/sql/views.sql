-- Views that every published snapshot carries, over its tables and the log's files.

-- name: labels
CREATE VIEW labels AS
SELECT prediction_id, label, observed_at, source, batch_id
FROM outcomes
WHERE prediction_id IS NOT NULL  -- else it waits for the first prediction of its event
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
       CAST(label AS BOOLEAN) AS actual_fraud_detected, features, batch_id, label_batch_id,
       propensity, event_key, arm, arm_propensity
FROM shown

-- name: score_counts_now
CREATE VIEW score_counts_now AS
SELECT event_date, tenant, model, version, segment, grid, points,
       sum(n)::BIGINT AS n,
       sum(n_labelled)::BIGINT AS n_labelled, sum(n_positive)::BIGINT AS n_positive
FROM score_counts
GROUP BY ALL
HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0

-- name: production
-- Which version, threshold (points) and calibration was in production when: a row for each span in
-- which none of them changed; `until` is when the next begins, NULL now.
CREATE VIEW production AS
WITH champions AS (
    SELECT subject AS model, new AS version, seq, changed_at,
           lead(seq) OVER (PARTITION BY subject ORDER BY seq) AS replaced
    FROM audit
    WHERE what = 'model'),
changes AS (
    SELECT model, version, seq, changed_at FROM champions
    UNION ALL
    SELECT c.model, c.version, a.seq, a.changed_at
    FROM champions c
    JOIN audit a ON a.subject = c.model || '/' || c.version
    WHERE a.what IN ('threshold', 'calibration')
      AND a.seq > c.seq AND (c.replaced IS NULL OR a.seq < c.replaced)),
spans AS (
    SELECT model, version, model || '/' || version AS subject, seq, changed_at AS since,
           lead(changed_at) OVER (PARTITION BY model ORDER BY seq) AS until
    FROM changes),
thresholds AS (SELECT subject, seq, new FROM audit WHERE what = 'threshold'),
calibrated AS (SELECT subject, seq, new FROM audit WHERE what = 'calibration')
SELECT s.model, s.version, CAST(t.new AS INTEGER) AS threshold,
       CASE WHEN m.grid LIKE 'logit%' THEN 1 / (1 + exp(-CAST(t.new AS INTEGER) / 1000.0)) END
           AS probability,
       c.new AS calibration_id, s.since, s.until
FROM spans s
ASOF LEFT JOIN thresholds t ON t.subject = s.subject AND t.seq <= s.seq
ASOF LEFT JOIN calibrated c ON c.subject = s.subject AND c.seq <= s.seq
LEFT JOIN models m ON m.model = s.model AND m.version = s.version
WHERE s.until IS NULL OR s.until > s.since

-- name: promise_ledger
-- Every unit of a promise that came due, as it is known by now; one that has not yet is not here.
CREATE VIEW promise_ledger AS
SELECT p.model, p.version, p.tenant, p.segment, p.kind, p.unit, u.first, u.last, u.state,
       p.target, p.confidence, p.threshold, u.n, u.bad,
       CASE WHEN u.n > 0 THEN u.bad / u.n END AS observed,
       u.allowed, u.lost, u.reason, p.issued_at, u.known_at, p.evidence, p.says, p.promise_id
FROM promises p
JOIN promise_units u USING (promise_id)
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY u.promise_id, u.first ORDER BY u.batch_id DESC, u.known_at DESC) = 1
