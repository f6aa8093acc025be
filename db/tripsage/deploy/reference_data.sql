-- Deploy tripsage:reference_data to pg
-- Two ways to be readable by everyone: currencies have no row level security at all, destinations have
-- it with a policy that is always true.
BEGIN;

CREATE TABLE public.currencies (
    code           text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
    name           text NOT NULL,
    symbol         text NOT NULL,
    units_per_euro numeric(14, 6) NOT NULL CHECK (units_per_euro > 0)
);

CREATE TABLE public.destinations (
    id        integer PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    country   text NOT NULL,
    currency  text NOT NULL REFERENCES public.currencies (code),
    time_zone text NOT NULL,
    latitude  double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    tags      text[] NOT NULL DEFAULT '{}'
);

ALTER TABLE public.destinations ENABLE ROW LEVEL SECURITY;
CREATE POLICY destinations_read_all ON public.destinations
    FOR SELECT TO anon, authenticated USING (true);

GRANT SELECT ON public.currencies, public.destinations TO anon, authenticated;
GRANT ALL ON public.currencies, public.destinations TO service_role;

COMMIT;
