-- Revert tripsage:publication from pg
BEGIN;

DROP PUBLICATION supabase_realtime;

COMMIT;
