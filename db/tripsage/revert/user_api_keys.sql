-- Revert tripsage:user_api_keys from pg
BEGIN;

DROP TABLE public.user_api_keys;

COMMIT;
