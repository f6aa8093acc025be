-- Verify tripsage:trips on pg
BEGIN;

SELECT id, user_id, name, destination, description, start_date, end_date, budget, currency, travelers,
       status, tags, preferences, created_at, updated_at
FROM public.trips WHERE false;
SELECT id, trip_id, user_id, role, created_at FROM public.trip_collaborators WHERE false;

SELECT 1 / (relrowsecurity AND relreplident = 'f')::int
FROM pg_class WHERE oid IN ('public.trips'::regclass, 'public.trip_collaborators'::regclass);
SELECT 1 / (count(*) = 8)::int FROM pg_policy
WHERE polrelid IN ('public.trips'::regclass, 'public.trip_collaborators'::regclass);
SELECT 1 / prosecdef::int FROM pg_proc
WHERE oid IN ('public.can_read_trip(uuid, bigint)'::regprocedure,
              'public.can_edit_trip(uuid, bigint)'::regprocedure,
              'public.owns_trip(uuid, bigint)'::regprocedure);

-- A caller without claims may ask, and sees nothing.
SET LOCAL ROLE authenticated;
SELECT 1 / (count(*) = 0)::int FROM public.trips;
SELECT 1 / (count(*) = 0)::int FROM public.trip_collaborators;

ROLLBACK;
