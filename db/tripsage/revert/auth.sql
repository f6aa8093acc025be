-- Revert tripsage:auth from pg
BEGIN;

DROP FUNCTION auth.email();
DROP FUNCTION auth.role();
DROP FUNCTION auth.uid();
DROP FUNCTION auth.jwt();
DROP TABLE auth.users;
DROP SCHEMA auth;

COMMIT;
