-- The three questions an operator lives by, over the published log.
-- $now is the time they are asked at,
-- $batch the last batch known then (or any larger number: all that is known).

-- name: automation_rate
-- Who decided over the last 24 hours?
SELECT count(*) AS predictions,
       count(*) FILTER (WHERE route = 'ticket') AS tickets,
       count(*) FILTER (WHERE route = 'alert') AS to_a_person,
       count(*) FILTER (WHERE route = 'ticket')
           / nullif(count(*) FILTER (
               WHERE route IN ('ticket', 'alert') AND coalesce(propensity, 1) = 1), 0)
           AS automated_share_of_high_risk,
       count(*) FILTER (WHERE automated)
           / nullif(count(*) FILTER (WHERE automated IS NOT NULL), 0)
           AS share_without_a_person
FROM noc_fraud_prediction_log
WHERE model = $model AND batch_id <= $batch
  AND predicted_at > $now::TIMESTAMPTZ - INTERVAL 24 HOURS AND predicted_at <= $now::TIMESTAMPTZ

-- name: width_distribution
-- How sure were we over the last 7 days?
SELECT width, count(*) AS predictions, count(*) / sum(count(*)) OVER () AS share,
       count(*) FILTER (WHERE route = 'ticket') AS tickets,
       count(*) FILTER (WHERE route = 'alert') AS to_a_person
FROM (SELECT CASE WHEN probability_interval_width IS NULL THEN 'unknown'
                  WHEN probability_interval_width < 0.01 THEN '0 to 0.01'
                  WHEN probability_interval_width < 0.05 THEN '0.01 to 0.05'
                  WHEN probability_interval_width < 0.2 THEN '0.05 to 0.2'
                  ELSE '0.2 to 1' END AS width, route
      FROM noc_fraud_prediction_log
      WHERE model = $model AND batch_id <= $batch
        AND predicted_at > $now::TIMESTAMPTZ - INTERVAL 7 DAYS
        AND predicted_at <= $now::TIMESTAMPTZ) AS recent
GROUP BY width
ORDER BY width

-- name: false_positives_by_width
-- Are the sure ones right? High-risk predictions of the last 30 days whose label is known.
SELECT width, count(*) AS high_risk,
       count(*) FILTER (WHERE NOT actual_fraud_detected) AS false_positives,
       count(*) FILTER (WHERE NOT actual_fraud_detected) / count(*) AS false_share
FROM (SELECT CASE WHEN probability_interval_width IS NULL THEN 'unknown'
                  WHEN probability_interval_width < 0.01 THEN '0 to 0.01'
                  WHEN probability_interval_width < 0.05 THEN '0.01 to 0.05'
                  WHEN probability_interval_width < 0.2 THEN '0.05 to 0.2'
                  ELSE '0.2 to 1' END AS width, actual_fraud_detected
      FROM noc_fraud_prediction_log
      WHERE model = $model AND batch_id <= $batch AND label_batch_id <= $batch
        AND route IN ('ticket', 'alert') AND coalesce(propensity, 1) = 1  -- not by chance
        AND actual_fraud_detected IS NOT NULL
        AND predicted_at > $now::TIMESTAMPTZ - INTERVAL 30 DAYS
        AND predicted_at <= $now::TIMESTAMPTZ) AS known
GROUP BY width
ORDER BY width
