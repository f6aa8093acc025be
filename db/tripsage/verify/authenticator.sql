-- Verify tripsage:authenticator on pg
BEGIN;

SELECT 1 / (rolcanlogin AND NOT rolinherit AND NOT rolsuper AND NOT rolbypassrls)::int
FROM pg_roles WHERE rolname = 'rowcast_authenticator';
SELECT 1 / pg_has_role('rowcast_authenticator', r, 'MEMBER')::int
FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) AS r;

ROLLBACK;
