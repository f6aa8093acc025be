-- Verify tripsage:publication on pg
BEGIN;

SELECT 1 / (count(*) = 11)::int FROM pg_publication_tables WHERE pubname = 'supabase_realtime';
SELECT 1 / (count(*) = 0)::int FROM pg_publication_tables
WHERE pubname = 'supabase_realtime' AND (rowfilter IS NOT NULL OR 'encrypted_key' = ANY (attnames));

ROLLBACK;
