-- What WALRUS does with a change, for the comparison: for each subscription of the table, one after the
-- other, in one backend, become that role with those claims and look whether the row is there.
--
-- Reproduced are the steps that cost: the subscriptions are fetched by table and role, privileges are
-- looked at once per role, the probe by primary key is prepared once per change and role, and each
-- subscription takes two settings and one execution of it. Left out, in its favour: reading the log
-- (the changes stand in a table here), casting columns, filters, and the JSON of the result.
CREATE SCHEMA walrus;

CREATE TABLE walrus.subscription (
    id     bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    entity regclass NOT NULL,
    role   name NOT NULL,
    claims jsonb NOT NULL
);
CREATE INDEX subscription_entity_idx ON walrus.subscription (entity, role);

CREATE TABLE walrus.change (
    n      bigint PRIMARY KEY,
    entity regclass NOT NULL,
    op     text NOT NULL,
    key    text NOT NULL -- of the primary key's one column
);

CREATE FUNCTION walrus.key_column(entity regclass) RETURNS TABLE (name text, type text)
LANGUAGE sql STABLE AS $$
    SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
    FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = entity AND i.indisprimary
$$;

-- Those of one role who see the row: their subscriptions.
CREATE FUNCTION walrus.seen_by(c walrus.change, reader name) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    ids        bigint[];
    claims     jsonb[];
    seen       bigint[] := '{}';
    is_seen    boolean;
    key_column record;
BEGIN
    SELECT array_agg(s.id), array_agg(s.claims) INTO ids, claims
    FROM walrus.subscription AS s WHERE s.entity = c.entity AND s.role = reader;
    IF NOT has_any_column_privilege(reader, c.entity, 'SELECT') THEN
        RETURN seen;
    END IF;
    IF c.op = 'DELETE' OR NOT (SELECT relrowsecurity FROM pg_class WHERE oid = c.entity) THEN
        RETURN ids;
    END IF;
    IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'walrus_probe') THEN
        DEALLOCATE walrus_probe;
    END IF;
    SELECT * INTO key_column FROM walrus.key_column(c.entity);
    EXECUTE format('PREPARE walrus_probe AS SELECT EXISTS (SELECT FROM %s WHERE %s = %L::%s)', c.entity,
                   key_column.name, c.key, key_column.type);
    FOR i IN 1 .. cardinality(ids) LOOP
        PERFORM set_config('role', reader, true), set_config('request.jwt.claims', claims[i]::text, true);
        EXECUTE 'EXECUTE walrus_probe' INTO is_seen;
        IF is_seen THEN
            seen := seen || ids[i];
        END IF;
    END LOOP;
    PERFORM set_config('role', 'none', true);
    RETURN seen;
END
$$;

-- So many changes from the n-th on, in order: how many were judged, and the readers found.
CREATE FUNCTION walrus.judge(first bigint, how_many bigint) RETURNS TABLE (changes bigint, readers bigint)
LANGUAGE plpgsql AS $$
DECLARE
    c      walrus.change;
    reader name;
BEGIN
    changes := 0;
    readers := 0;
    FOR c IN SELECT * FROM walrus.change AS h WHERE h.n >= first ORDER BY h.n LIMIT how_many LOOP
        changes := changes + 1;
        FOR reader IN SELECT DISTINCT s.role FROM walrus.subscription AS s WHERE s.entity = c.entity LOOP
            readers := readers + COALESCE(cardinality(walrus.seen_by(c, reader)), 0);
        END LOOP;
    END LOOP;
    RETURN NEXT;
END
$$;

-- Users 1 … n, each subscribed to every published table.
CREATE PROCEDURE walrus.subscribe(n bigint) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE walrus.subscription;
    INSERT INTO walrus.subscription (entity, role, claims)
    SELECT format('%I.%I', p.schemaname, p.tablename)::regclass, 'authenticated',
           jsonb_build_object('role', 'authenticated', 'sub', load.user_id(u))
    FROM pg_publication_tables AS p, generate_series(1, n) AS u
    WHERE p.pubname = 'supabase_realtime';
    ANALYZE walrus.subscription;
END
$$;
