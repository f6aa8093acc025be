-- Revert tripsage:triggers from pg
BEGIN;

DROP FUNCTION public.keep_creator();
DROP FUNCTION public.set_last_editor();
DROP FUNCTION public.set_updated_at();

COMMIT;
