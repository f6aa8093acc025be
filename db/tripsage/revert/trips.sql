-- Revert tripsage:trips from pg
BEGIN;

DROP TABLE public.trip_collaborators, public.trips;
DROP FUNCTION public.owns_trip(uuid, bigint);
DROP FUNCTION public.can_edit_trip(uuid, bigint);
DROP FUNCTION public.can_read_trip(uuid, bigint);

COMMIT;
