-- What the bytes of each day file were when it was committed. NULL: of a log that was made before,
-- until a morning has taken it; nobody can say whether such a file is as it was.
ALTER TABLE data_files ADD COLUMN IF NOT EXISTS sha256 VARCHAR;
