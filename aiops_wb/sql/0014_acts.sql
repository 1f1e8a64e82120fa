-- Changes that people and services hand in without opening the catalog, as they were taken in: each
-- once, in one transaction with what it changed. Append-only.
CREATE TABLE acts (
    id VARCHAR NOT NULL,          -- given when it was handed in
    kind VARCHAR NOT NULL,        -- propose | set | approve | reject | rollback | acknowledge |
                                  -- close | mute
    model VARCHAR,                -- NULL: of none, or of one that is not known
    what VARCHAR NOT NULL,        -- what was asked for, as JSON
    who VARCHAR NOT NULL,
    handed_in_at TIMESTAMPTZ NOT NULL,  -- by the clock of whoever did
    taken_in_at TIMESTAMPTZ NOT NULL, batch_id BIGINT NOT NULL,  -- what was known then
    state VARCHAR NOT NULL,       -- done | refused
    says VARCHAR NOT NULL,        -- what came of it, or why it was refused
    proposal VARCHAR,             -- the proposal that it made or decided
    audit_seq BIGINT);            -- the last audit row that it wrote; NULL: it changed nothing
