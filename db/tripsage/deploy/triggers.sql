-- Deploy tripsage:triggers to pg
BEGIN;

-- BEFORE UPDATE: the time of the statement, not of the transaction, so that two edits in one
-- transaction can be told apart.
CREATE FUNCTION public.set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- BEFORE INSERT OR UPDATE: who edited last. The log does not say, and the creator is somebody else.
-- Without a caller (a service, a migration) the label stays as it is.
CREATE FUNCTION public.set_last_editor() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
    NEW.updated_by := COALESCE(auth.uid(), NEW.updated_by, NEW.user_id);
    RETURN NEW;
END
$$;

-- BEFORE UPDATE: nobody gives their row to somebody else.
CREATE FUNCTION public.keep_creator() RETURNS trigger
LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
    IF NEW.user_id IS DISTINCT FROM OLD.user_id THEN
        RAISE EXCEPTION 'the creator of % % cannot change', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

COMMIT;
