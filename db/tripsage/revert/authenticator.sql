-- Revert tripsage:authenticator from pg
BEGIN;

REVOKE anon, authenticated, service_role FROM rowcast_authenticator;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles
               WHERE rolname = 'rowcast_authenticator'
                 AND shobj_description(oid, 'pg_authid') = 'created by tripsage') THEN
        DROP ROLE rowcast_authenticator;
    END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
    RAISE NOTICE 'role rowcast_authenticator is still in use and stays';
END
$$;

COMMIT;
