-- Verify tripsage:roles on pg
BEGIN;

SELECT 1 / (count(*) = 3)::int FROM pg_roles
WHERE rolname IN ('anon', 'authenticated', 'service_role');
SELECT 1 / rolbypassrls::int FROM pg_roles WHERE rolname = 'service_role';
SELECT 1 / (NOT rolbypassrls AND NOT rolsuper)::int FROM pg_roles
WHERE rolname IN ('anon', 'authenticated');

ROLLBACK;
