-- Deploy tripsage:auth to pg
-- The part of a Supabase project that policies lean on: who the users are, and the claims of the token
-- of the current request. The gateway sets request.jwt.claims with SET LOCAL; older callers set one
-- setting per claim, which is why each function has a second place to look.
BEGIN;

CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;

CREATE TABLE auth.users (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email      text NOT NULL UNIQUE,
    full_name  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON auth.users FROM PUBLIC;
GRANT SELECT ON auth.users TO service_role;

CREATE FUNCTION auth.jwt() RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT NULLIF(current_setting('request.jwt.claims', true), '')::jsonb
$$;

CREATE FUNCTION auth.uid() RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT COALESCE(NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
                    NULLIF(current_setting('request.jwt.claim.sub', true), ''))::uuid
$$;

CREATE FUNCTION auth.role() RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT COALESCE(NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
                    NULLIF(current_setting('request.jwt.claim.role', true), ''))
$$;

CREATE FUNCTION auth.email() RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT COALESCE(NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email',
                    NULLIF(current_setting('request.jwt.claim.email', true), ''))
$$;

COMMIT;
