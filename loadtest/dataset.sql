-- The tripsage schema grown to the size of a busy application, and the writes that are measured.
-- Nothing here is random or depends on the day: the same calls give the same rows. User N has the id
-- md5('user-N'). Nothing of schema load is published.
--
--   CALL load.fill(users, trips)                 rows for an empty schema
--   CALL load.write(rows, per_transaction, …)    a mixed workload, committed as it goes
--   CALL load.team(members)                      one trip with so many collaborators
CREATE SCHEMA load;

CREATE FUNCTION load.user_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT md5('user-' || n)::uuid $$;

CREATE FUNCTION load.session_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT md5('session-' || n)::uuid $$;

-- 0 … below - 1, by the step and what it is for.
CREATE FUNCTION load.pick(step bigint, what int, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(step, what) & 4611686018427387903) % below $$;

-- A trip has an owner and five collaborators, who are not the owner; four items, two flights, a bed and a
-- conversation of four messages; one conversation in eleven is about no trip.
CREATE PROCEDURE load.fill(users bigint, trips bigint) LANGUAGE plpgsql AS $$
DECLARE
    start CONSTANT timestamptz := '2026-09-01 10:00+00';
BEGIN
    SET LOCAL session_replication_role = replica; -- no triggers: keys are known to be right
    INSERT INTO public.currencies (code, name, symbol, units_per_euro)
    SELECT CASE n WHEN 0 THEN 'EUR' ELSE 'A' || chr(65 + n) || 'X' END, 'Currency ' || n, chr(65 + n), 1 + n
    FROM generate_series(0, 19) AS n;
    INSERT INTO public.destinations (id, name, country, currency, time_zone, latitude, longitude, tags)
    SELECT n, 'Place ' || n, 'Country ' || n % 40, 'EUR', 'UTC', n % 90, n % 180, '{coast,food}'
    FROM generate_series(1, 200) AS n;
    INSERT INTO auth.users (id, email, full_name, created_at)
    SELECT load.user_id(n), n || '@example.org', 'User ' || n, start FROM generate_series(1, users) AS n;
    INSERT INTO public.trips (id, user_id, name, destination, start_date, end_date, currency, tags, preferences,
                              created_at, updated_at)
    SELECT t, load.user_id(t * 7919 % users + 1), 'Trip ' || t, 'Place ' || t % 200 + 1,
           date '2027-03-01' + (t % 300)::int, date '2027-03-08' + (t % 300)::int, 'EUR', '{coast,food}',
           '{"pace": "slow", "vegetarian": true}', start, start
    FROM generate_series(1, trips) AS t;
    INSERT INTO public.trip_collaborators (trip_id, user_id, role, created_at)
    SELECT t, load.user_id((t * 7919 + m * 1009) % users + 1), (ARRAY['viewer', 'editor', 'admin'])[m % 3 + 1], start
    FROM generate_series(1, trips) AS t, generate_series(1, 5) AS m;
    INSERT INTO public.itinerary_items (trip_id, user_id, item_type, title, description, location, start_time,
                                        end_time, position, price, currency, metadata, created_at, updated_at,
                                        updated_by)
    SELECT t, load.user_id(t * 7919 % users + 1), (ARRAY['activity', 'meal', 'transport', 'event'])[n],
           'Item ' || n || ' of trip ' || t, 'Be there ten minutes early and bring the tickets.',
           'Some street ' || n, start + t * interval '1 hour', start + t * interval '1 hour' + interval '45 minutes',
           n * 10, 12.50, 'EUR', '{"day": 1, "source": "planner"}', start, start, load.user_id(t * 7919 % users + 1)
    FROM generate_series(1, trips) AS t, generate_series(1, 4) AS n;
    INSERT INTO public.flights (trip_id, user_id, airline, flight_number, origin, destination, departure_time,
                                arrival_time, price, created_at, updated_at)
    SELECT t, load.user_id((t * 7919 + m * 1009) % users + 1), 'Airline ' || t % 9, 'XY ' || 100 + t % 800,
           'Berlin', 'Place ' || t % 200 + 1, start + t * interval '1 hour',
           start + t * interval '1 hour' + interval '3 hours', 189, start, start
    FROM generate_series(1, trips) AS t, generate_series(0, 1) AS m;
    INSERT INTO public.accommodations (trip_id, name, address, check_in_date, check_out_date, price_per_night,
                                       created_at, updated_at)
    SELECT t, 'Hotel ' || t % 500, 'Some street 12', date '2027-03-01', date '2027-03-08', 95, start, start
    FROM generate_series(1, trips) AS t;
    INSERT INTO public.chat_sessions (id, trip_id, user_id, metadata, created_at, updated_at)
    SELECT load.session_id(s), CASE WHEN s <= trips THEN s END, load.user_id(s * 7919 % users + 1),
           '{"title": "Ideas"}', start, start
    FROM generate_series(1, trips + trips / 10) AS s;
    INSERT INTO public.chat_messages (session_id, user_id, role, content, created_at)
    SELECT load.session_id(s), load.user_id(s * 7919 % users + 1), (ARRAY['user', 'assistant'])[n % 2 + 1],
           'Two places have room at 20:00. I held the quieter one until tomorrow noon.', start
    FROM generate_series(1, trips + trips / 10) AS s, generate_series(1, 4) AS n;
    INSERT INTO public.chat_tool_calls (message_id, tool_name, arguments, result, status, created_at)
    SELECT m, 'find_table', '{"query": "two places"}', '{"hits": 4}', 'completed', start
    FROM generate_series(2, (trips + trips / 10) * 4, 2) AS m;
    INSERT INTO public.user_api_keys (user_id, service, encrypted_key, created_at, updated_at)
    SELECT load.user_id(n), 'maps', 'secret', start, start FROM generate_series(1, users, 4) AS n;
END
$$;

-- One write, chosen by op (0 … 999): how often a kind comes is how wide its range is. 0 … 569 are items
-- and messages alone; 998 and 999 are of tables that everyone may read. A write may find its row gone.
CREATE PROCEDURE load.write_one(i bigint, op int) LANGUAGE plpgsql AS $$
DECLARE
    users CONSTANT bigint := (SELECT n FROM load.size WHERE what = 'users');
    trips CONSTANT bigint := (SELECT n FROM load.size WHERE what = 'trips');
    trip  CONSTANT bigint := load.pick(i, 1, trips) + 1;
BEGIN
    CASE
    WHEN op < 250 THEN
        UPDATE public.itinerary_items SET title = 'Item, moved ' || i, position = position + 1
        WHERE id = load.pick(i, 2, trips * 4) + 1;
    WHEN op < 330 THEN
        INSERT INTO public.itinerary_items (trip_id, user_id, item_type, title, location, start_time, price, currency)
        SELECT id, user_id, 'meal', 'Item, new ' || i, 'Some street 7', created_at, 20, 'EUR'
        FROM public.trips WHERE id = trip;
    WHEN op < 370 THEN
        DELETE FROM public.itinerary_items WHERE id = load.pick(i, 2, trips * 4) + 1;
    WHEN op < 570 THEN
        INSERT INTO public.chat_messages (session_id, user_id, role, content)
        SELECT id, user_id, 'user', 'Can you find a table for Saturday evening? ' || i
        FROM public.chat_sessions WHERE id = load.session_id(trip);
    WHEN op < 650 THEN
        INSERT INTO public.chat_tool_calls (message_id, tool_name, arguments)
        VALUES (load.pick(i, 3, trips * 4) + 1, 'find_table', '{"query": "Saturday"}');
    WHEN op < 710 THEN
        UPDATE public.chat_tool_calls SET status = 'running', result = '{"hits": 1}'
        WHERE id = load.pick(i, 4, trips * 2) + 1;
    WHEN op < 760 THEN
        UPDATE public.flights SET price = price + 1 WHERE id = load.pick(i, 5, trips * 2) + 1;
    WHEN op < 780 THEN
        INSERT INTO public.flights (trip_id, user_id, airline, flight_number, origin, destination, departure_time,
                                    arrival_time, price)
        SELECT id, user_id, 'KLM', 'KL 12', 'Berlin', destination, created_at, created_at + interval '2 hours', 99
        FROM public.trips WHERE id = trip;
    WHEN op < 790 THEN
        DELETE FROM public.flights WHERE id = load.pick(i, 5, trips * 2) + 1;
    WHEN op < 840 THEN
        UPDATE public.accommodations SET room_type = 'suite ' || i WHERE id = trip;
    WHEN op < 880 THEN
        UPDATE public.chat_sessions SET metadata = '{"title": "Ideas, again"}' WHERE id = load.session_id(trip);
    WHEN op < 890 THEN
        INSERT INTO public.chat_sessions (trip_id, user_id) SELECT id, user_id FROM public.trips WHERE id = trip;
    WHEN op < 938 THEN
        UPDATE public.trips SET budget = budget + 1, name = 'Trip, renamed ' || i WHERE id = trip;
    WHEN op < 958 THEN
        INSERT INTO public.trip_collaborators (trip_id, user_id)
        SELECT id, load.user_id(load.pick(i, 6, users) + 1) FROM public.trips WHERE id = trip
        ON CONFLICT DO NOTHING;
    WHEN op < 968 THEN
        DELETE FROM public.trip_collaborators WHERE id = load.pick(i, 7, trips * 5) + 1;
    WHEN op < 978 THEN
        UPDATE public.trip_collaborators SET role = 'editor' WHERE id = load.pick(i, 7, trips * 5) + 1;
    WHEN op < 997 THEN
        UPDATE public.user_api_keys SET is_valid = NOT is_valid WHERE id = load.pick(i, 8, users / 4) + 1;
    WHEN op < 998 THEN
        DELETE FROM public.trips WHERE id = trip; -- and, by cascade, nearly all that belongs to it
    WHEN op < 999 THEN
        UPDATE public.destinations SET country = 'Country, new ' || i WHERE id = load.pick(i, 9, 200) + 1;
    ELSE
        UPDATE public.currencies SET units_per_euro = units_per_euro + 1 WHERE code = 'ABX';
    END CASE;
END
$$;

CREATE TABLE load.size (what text PRIMARY KEY, n bigint NOT NULL);

-- Writes seed + 1 … seed + writes, of kinds 0 … kinds - 1, so many to a transaction.
CREATE PROCEDURE load.write(writes bigint, per_transaction bigint, kinds int, seed bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN seed + 1 .. seed + writes LOOP
        CALL load.write_one(i, load.pick(i, 0, kinds)::int);
        IF i % per_transaction = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END
$$;

-- Trip 1 gets so many collaborators, who are nobody's else.
CREATE PROCEDURE load.team(members bigint) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    INSERT INTO public.trip_collaborators (trip_id, user_id)
    SELECT 1, md5('member-' || n)::uuid FROM generate_series(1, members) AS n;
END
$$;

-- Rounds of: one more member of that team, then so many edits of an item of the trip; a transaction each.
CREATE PROCEDURE load.write_team(rounds bigint, edits bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR r IN 1 .. rounds LOOP
        INSERT INTO public.trip_collaborators (trip_id, user_id) VALUES (1, load.user_id(10 + r)) ON CONFLICT DO NOTHING;
        COMMIT;
        FOR e IN 1 .. edits LOOP
            UPDATE public.itinerary_items SET position = position + 1 WHERE id = 1;
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;
