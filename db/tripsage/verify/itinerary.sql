-- Verify tripsage:itinerary on pg
BEGIN;

SELECT id, trip_id, user_id, item_type, title, description, location, start_time, end_time, position,
       price, currency, booking_status, metadata, created_at, updated_at, updated_by
FROM public.itinerary_items WHERE false;
SELECT id, trip_id, user_id, airline, flight_number, origin, destination, departure_time, arrival_time,
       flight_class, price, currency, booking_status, created_at, updated_at
FROM public.flights WHERE false;
SELECT id, trip_id, name, address, check_in_date, check_out_date, room_type, price_per_night, currency,
       rating, amenities, booking_status, created_at, updated_at
FROM public.accommodations WHERE false;

SELECT 1 / relrowsecurity::int FROM pg_class
WHERE oid IN ('public.itinerary_items'::regclass, 'public.flights'::regclass,
              'public.accommodations'::regclass);
SELECT 1 / (relreplident = 'f')::int FROM pg_class
WHERE oid IN ('public.itinerary_items'::regclass, 'public.flights'::regclass);
SELECT 1 / (relreplident = 'i')::int FROM pg_class WHERE oid = 'public.accommodations'::regclass;
SELECT 1 / (count(*) = 8)::int FROM pg_policy
WHERE polrelid IN ('public.itinerary_items'::regclass, 'public.flights'::regclass,
                   'public.accommodations'::regclass);

SET LOCAL ROLE authenticated;
SELECT 1 / (count(*) = 0)::int FROM public.itinerary_items;
SELECT 1 / (count(*) = 0)::int FROM public.flights;
SELECT 1 / (count(*) = 0)::int FROM public.accommodations;

ROLLBACK;
