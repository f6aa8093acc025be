-- Revert tripsage:roles from pg
BEGIN;

REVOKE USAGE ON SCHEMA public FROM anon, authenticated, service_role;

-- A role that something else in the cluster still uses stays, and says so.
DO $$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT rolname FROM pg_roles
        WHERE rolname IN ('anon', 'authenticated', 'service_role')
          AND shobj_description(oid, 'pg_authid') = 'created by tripsage'
    LOOP
        BEGIN
            EXECUTE format('DROP ROLE %I', made);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'role % is still in use and stays', made;
        END;
    END LOOP;
END
$$;

COMMIT;
