-- Why the model scored the event of a case so, apart from the text that people are sent: cases that
-- have the same leading reason are told beside each other.
ALTER TABLE cases ADD COLUMN reasons VARCHAR;  -- in words; NULL where they are not known
ALTER TABLE cases ADD COLUMN first_reason VARCHAR;  -- the feature of the first; NULL where none raised it
UPDATE cases
SET reasons = nullif(regexp_extract(text, '(?m)^Main reasons of the model: (.*)\.$', 1), '');
UPDATE cases SET first_reason = nullif(regexp_extract(reasons, '^(.*?) = ', 1), '');
