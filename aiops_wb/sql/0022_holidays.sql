-- Holidays: days of the calendar that are compared with holidays, of everybody or of one tenant.
ALTER TABLE calendar ADD COLUMN tenant VARCHAR;    -- NULL: every tenant
ALTER TABLE calendar ADD COLUMN holiday BOOLEAN;   -- NULL: an entry made before there were any
ALTER TABLE calendar ADD COLUMN declared VARCHAR;  -- the country's holidays that it is of; NULL: a person's
