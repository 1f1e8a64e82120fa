-- What the audit trail was when it was last appended to: the row with most rows counts. A trail that
-- is shorter, or whose row of that number is another, is not appended to.
CREATE TABLE audit_checked (
    rows BIGINT NOT NULL, head VARCHAR NOT NULL,
    content HUGEINT);             -- of all rows up to it, where it was taken: see log/checked.py

-- A log that is made now has a hash in the trail of all that decides; one that was made before gets
-- them with the next ingest.
INSERT INTO workbench
SELECT 'trail', CASE WHEN count(*) = 0 THEN 'whole' ELSE 'later' END
FROM (SELECT 1 FROM batches UNION ALL SELECT 1 FROM audit UNION ALL SELECT 1 FROM models)
WHERE NOT EXISTS (SELECT 1 FROM workbench WHERE key = 'trail')
HAVING NOT EXISTS (SELECT 1 FROM workbench WHERE key = 'trail');
