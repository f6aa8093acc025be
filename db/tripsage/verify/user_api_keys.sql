-- Verify tripsage:user_api_keys on pg
BEGIN;

SELECT id, user_id, service, encrypted_key, is_valid, created_at, updated_at
FROM public.user_api_keys WHERE false;
SELECT 1 / (relrowsecurity AND relreplident = 'i')::int
FROM pg_class WHERE oid = 'public.user_api_keys'::regclass;
SELECT 1 / (NOT has_column_privilege('authenticated', 'public.user_api_keys', 'encrypted_key', 'SELECT'))::int;
SELECT 1 / has_column_privilege('authenticated', 'public.user_api_keys', 'is_valid', 'SELECT')::int;
SELECT 1 / (NOT has_any_column_privilege('anon', 'public.user_api_keys', 'SELECT'))::int;

ROLLBACK;
