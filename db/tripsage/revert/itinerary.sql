-- Revert tripsage:itinerary from pg
BEGIN;

DROP TABLE public.accommodations;
DROP TABLE public.flights;
DROP TABLE public.itinerary_items;

COMMIT;
