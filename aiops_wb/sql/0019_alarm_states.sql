-- What alarms of a version stood on after a day, so that a morning goes on from there. A row tells of the
-- days since the one named by `previous`; it is left aside, never removed, where anything it rests on
-- has changed, and the days are followed anew.
CREATE TABLE alarm_states (
    key VARCHAR NOT NULL, previous VARCHAR NOT NULL,    -- '' where it tells of all days from the first
    model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    first_day DATE NOT NULL, event_date DATE NOT NULL,  -- the days that were followed
    basis VARCHAR NOT NULL,       -- of method, settings and reference
    mutes VARCHAR NOT NULL,       -- of the days that the calendar muted
    known VARCHAR NOT NULL,       -- runs of the batches whose counts it rests on
    asked VARCHAR NOT NULL,       -- of the streams
    standing BLOB NOT NULL,       -- of the last day
    figures BLOB NOT NULL, marks BLOB NOT NULL);        -- of each day: doubles, and whole numbers
