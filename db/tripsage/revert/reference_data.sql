-- Revert tripsage:reference_data from pg
BEGIN;

DROP TABLE public.destinations;
DROP TABLE public.currencies;

COMMIT;
