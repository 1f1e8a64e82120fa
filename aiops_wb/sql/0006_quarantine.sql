-- A row that is delivered again is not quarantined again: `content` is a hash of kind, reason and
-- all of the row, and stays when its text is dropped.
ALTER TABLE quarantine ADD COLUMN content VARCHAR;
UPDATE quarantine SET content = md5(concat_ws(chr(31), kind, reason, coalesce(raw, '')));
