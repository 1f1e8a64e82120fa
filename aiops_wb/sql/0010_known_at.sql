-- A history can be brought in as it was known: known-at becomes a property of a batch.

-- since when the batch counts as known; NULL: since it was committed
ALTER TABLE batches ADD COLUMN known_at TIMESTAMPTZ;
-- the only model that it holds rows of; NULL: any
ALTER TABLE batches ADD COLUMN only_model VARCHAR;
