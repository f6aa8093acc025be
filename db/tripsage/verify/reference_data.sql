-- Verify tripsage:reference_data on pg
BEGIN;

SELECT code, name, symbol, units_per_euro FROM public.currencies WHERE false;
SELECT id, name, country, currency, time_zone, latitude, longitude, tags
FROM public.destinations WHERE false;
SELECT 1 / relrowsecurity::int FROM pg_class WHERE oid = 'public.destinations'::regclass;
SET LOCAL ROLE anon;
SELECT count(*) FROM public.destinations;

ROLLBACK;
