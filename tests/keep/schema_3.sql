-- A ledger of schema 3, dumped. Written by framegate at 1d29081 with room for the names of two cameras.
BEGIN TRANSACTION;
CREATE TABLE camera (
    camera TEXT PRIMARY KEY,
    previous_name BLOB,                -- the frame that the noise map saw last
    previous_size_bytes INTEGER,
    previous_mtime_ns INTEGER,
    noise BLOB,                        -- what the detector learnt; NULL: nothing yet
    storm_kept INTEGER,                -- frames of the storm that it is in; NULL: in none
    storm_dropped INTEGER
) STRICT;
INSERT INTO "camera" VALUES('a',X'322E6A7067',10,20,X'BEEF',3,500);
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,            -- the order of decisions
    name BLOB NOT NULL,                -- relative to the drop folder; any bytes that Linux allows
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    camera TEXT NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'dropped', 'rejected')),
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    score_percent REAL,
    threshold_percent REAL,
    reference BLOB,                    -- name of the frame it was compared with
    config_revision INTEGER NOT NULL,
    decided_at_ns INTEGER NOT NULL,
    sha256 BLOB,                       -- of a kept frame
    result BLOB,                       -- its name in the results folder; NULL: intended, not yet delivered
    input_gone_ns INTEGER,             -- since when it is not in the drop folder; NULL: it may be there
    result_gone_ns INTEGER,            -- since when the result is deleted, or not ours; NULL: it may be
    UNIQUE (name, size_bytes, mtime_ns)
) STRICT;
INSERT INTO "frame" VALUES(1,X'312E6A7067',10,20,'a',30,'kept','first','',NULL,NULL,NULL,1,40,X'00',X'312E6A7067',NULL,NULL);
INSERT INTO "frame" VALUES(2,X'322E6A7067',10,20,'a',30,'dropped','unchanged','',0.05,0.2,X'312E6A7067',1,40,NULL,NULL,NULL,NULL);
INSERT INTO "frame" VALUES(4,X'332E6A7067',10,20,'b',30,'kept','first','',NULL,NULL,NULL,1,40,X'00',X'332E6A7067',50,NULL);
INSERT INTO "frame" VALUES(5,X'342E6A7067',10,20,'c',30,'rejected','truncated','cut',NULL,NULL,NULL,1,40,NULL,NULL,NULL,NULL);
INSERT INTO "frame" VALUES(6,X'352E6A7067',10,20,'b',30,'kept','changed','',1.5,0.2,X'332E6A7067',1,40,X'00',NULL,NULL,NULL);
CREATE TABLE total (
    camera TEXT NOT NULL,              -- '*': those beyond the first 10000
    reason TEXT NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (camera, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO "total" VALUES('*','truncated',1);
INSERT INTO "total" VALUES('a','first',1);
INSERT INTO "total" VALUES('a','unchanged',2);
INSERT INTO "total" VALUES('b','changed',1);
INSERT INTO "total" VALUES('b','first',1);
CREATE INDEX kept ON frame (camera, id) WHERE verdict = 'kept';
CREATE INDEX intended ON frame (id) WHERE verdict = 'kept' AND result IS NULL;
CREATE INDEX standing ON frame (verdict, id) WHERE input_gone_ns IS NULL;
CREATE INDEX gone ON frame (input_gone_ns)
    WHERE input_gone_ns IS NOT NULL AND (verdict <> 'kept' OR result_gone_ns IS NOT NULL);
CREATE INDEX delivered ON frame (max(captured_at_ns, decided_at_ns), id, size_bytes)
    WHERE verdict = 'kept' AND result IS NOT NULL AND result_gone_ns IS NULL;
CREATE INDEX result ON frame (result) WHERE result IS NOT NULL AND result_gone_ns IS NULL;
COMMIT;
PRAGMA user_version = 3;
