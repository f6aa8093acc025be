-- Verify tripsage:triggers on pg
BEGIN;

SELECT 'public.set_updated_at()'::regprocedure,
       'public.set_last_editor()'::regprocedure,
       'public.keep_creator()'::regprocedure;

ROLLBACK;
