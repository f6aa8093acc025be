-- Deploy tripsage:authenticator to pg
-- NOINHERIT: logged in as itself it may read nothing; it acts only after SET ROLE. How it proves who it
-- is (password, certificate, peer) is the operator's choice and set outside this project.
BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rowcast_authenticator') THEN
        CREATE ROLE rowcast_authenticator LOGIN NOINHERIT NOCREATEDB NOCREATEROLE NOSUPERUSER;
        COMMENT ON ROLE rowcast_authenticator IS 'created by tripsage';
    END IF;
END
$$;

GRANT anon, authenticated, service_role TO rowcast_authenticator;

COMMIT;
