-- Keys of events: what an event is called by all models that score it. A label that is told by a
-- key is one row of outcomes for each prediction of the event.
-- First and last key of a file's rows, by which files are found; NULL: none of its rows has one.
ALTER TABLE data_files ADD COLUMN min_key VARCHAR;
ALTER TABLE data_files ADD COLUMN max_key VARCHAR;
