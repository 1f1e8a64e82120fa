-- What is asked of day files that were landed before they are part of the log, in plain ANSI SQL:
-- the same text runs on any engine that reads the files.
-- `landed` are their rows, `logged` those of the log. A cast of a time to a date is that of the
-- session's zone.

-- name: delivered
-- With what is meant where nothing is said.
SELECT prediction_id, COALESCE(tenant, 'default') AS tenant, model, version,
       COALESCE(grid, 'logit') AS grid, site_id, predicted_at, score, points, route,
       latency_ms, propensity, event_key, risk_level, arm_propensity
FROM landed

-- name: wrong
-- Rows that the log cannot hold, by what is wrong with them. A name is measured in bits; a point is
-- that of its score but for rounding, which single precision makes coarse near 1.
SELECT reason, COUNT(*) AS n, MIN(prediction_id) AS example
FROM (SELECT prediction_id, CASE
          WHEN COALESCE(prediction_id, '') = '' THEN 'prediction_id is missing'
          WHEN COALESCE(model, '') = '' OR COALESCE(version, '') = '' OR tenant = ''
              THEN 'model, version or tenant is missing'
          WHEN BIT_LENGTH(model) > {longest_name} OR BIT_LENGTH(version) > {longest_name}
               OR BIT_LENGTH(tenant) > {longest_name}
              THEN 'model, version or tenant is too long'
          WHEN predicted_at IS NULL THEN 'predicted_at is missing'
          WHEN NOT COALESCE(EXTRACT(YEAR FROM predicted_at) BETWEEN 1900 AND 2199, FALSE)
              THEN 'predicted_at is not between 1900 and 2200'
          WHEN grid NOT IN ('logit', 'linear') THEN 'grid is not one of logit, linear'
          WHEN score IS NULL OR ISNAN(score) OR ABS(score) > 1.7976931348623157E308
              THEN 'score is missing or not a number'
          WHEN grid = 'logit' AND NOT score BETWEEN 0 AND 1
              THEN 'score is not a probability in [0, 1]'
          WHEN points IS NULL THEN 'points are missing'
          WHEN grid = 'logit' AND (
                   ABS(CAST(points AS INTEGER)) > {logit}
                   OR (score < 1E-6 AND points > -13800) OR (score > 0.9999E0 AND points < 9200)
                   OR (score BETWEEN 1E-6 AND 0.9999E0
                       AND ABS(points - 1000 * (LN(LEAST(GREATEST(score, 1E-6), 0.9999E0))
                               - LN(1 - LEAST(GREATEST(score, 1E-6), 0.9999E0)))) > 2))
               OR grid = 'linear' AND ABS(points - LEAST(GREATEST(1000 * score, -{linear}),
                                                         {linear})) > 2
              THEN 'points are not those of the score'
          WHEN ISNAN(latency_ms) OR latency_ms < 0 OR latency_ms > 1.7976931348623157E308
              THEN 'latency_ms is not a number of at least 0'
          WHEN ISNAN(propensity) OR propensity <= 0 OR propensity > 1
              THEN 'propensity is not a number above 0, at most 1'
          WHEN ISNAN(arm_propensity) OR arm_propensity <= 0 OR arm_propensity > 1
              THEN 'arm_propensity is not a number above 0, at most 1'
          WHEN route NOT IN ({routes}) THEN 'route is none'
          WHEN risk_level NOT IN ({levels}) THEN 'risk_level is none'
          WHEN BIT_LENGTH(event_key) > {longest_key} THEN 'event_key is too long'
          WHEN TRIM(event_key) = '' THEN 'event_key is empty'
          END AS reason
      FROM delivered) AS judged
WHERE reason IS NOT NULL
GROUP BY reason

-- name: landed_groups
-- What there is of each day of a version, and when what nobody decided was predicted.
SELECT event_date, tenant, model, version, grid, COUNT(*) AS n,
       MIN(prediction_id) AS min_id, MAX(prediction_id) AS max_id,
       MIN(event_key) AS min_key, MAX(event_key) AS max_key,
       COUNT(site_id) AS sites, COUNT(propensity) AS chances,
       MIN(CASE WHEN route IS NULL THEN predicted_at END) AS first_at,
       MAX(CASE WHEN route IS NULL THEN predicted_at END) AS last_at
FROM (SELECT d.*, CAST(predicted_at AS DATE) AS event_date FROM delivered AS d) AS dated
GROUP BY event_date, tenant, model, version, grid

-- name: repeated
-- Ids that stand more than once among what was landed.
SELECT prediction_id FROM landed GROUP BY prediction_id HAVING COUNT(*) > 1

-- name: logged_before
-- Ids that the log has already.
SELECT DISTINCT l.prediction_id FROM landed AS l JOIN logged AS k
    ON k.prediction_id = l.prediction_id
