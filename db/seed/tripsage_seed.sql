-- Example data for the tripsage schema: 50 people, 100 trips and what belongs to them.
-- Nothing here is random or depends on the day: the same file gives the same rows, ids included, so
-- that tests and the demo may name them. User N has the id md5('user-N').
--
--   1 Ada    owns trip 1, the one the demo shows
--   2 Ben    edits it
--   3 Chloe  is connected to the same gateway and has nothing to do with it
--
-- Loads into an empty schema, in one transaction:  psql -1 -v ON_ERROR_STOP=1 -f tripsage_seed.sql
SET LOCAL client_min_messages = warning;
SET LOCAL timezone = 'UTC';

CREATE FUNCTION pg_temp.user_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT md5('user-' || n)::uuid $$;

INSERT INTO public.currencies (code, name, symbol, units_per_euro) VALUES
    ('EUR', 'Euro', '€', 1), ('GBP', 'Pound sterling', '£', 0.86), ('JPY', 'Yen', '¥', 162.4),
    ('USD', 'US dollar', '$', 1.08), ('ISK', 'Icelandic króna', 'kr', 149.5),
    ('MXN', 'Mexican peso', '$', 19.6), ('NZD', 'New Zealand dollar', '$', 1.79),
    ('MAD', 'Moroccan dirham', 'DH', 10.8), ('ZAR', 'Rand', 'R', 19.9), ('CAD', 'Canadian dollar', '$', 1.47);

INSERT INTO public.destinations (id, name, country, currency, time_zone, latitude, longitude, tags) VALUES
    (1, 'Lisbon', 'Portugal', 'EUR', 'Europe/Lisbon', 38.7223, -9.1393, '{coast,food,trams}'),
    (2, 'Kyoto', 'Japan', 'JPY', 'Asia/Tokyo', 35.0116, 135.7681, '{temples,gardens}'),
    (3, 'Reykjavík', 'Iceland', 'ISK', 'Atlantic/Reykjavik', 64.1466, -21.9426, '{nature,winter}'),
    (4, 'Mexico City', 'Mexico', 'MXN', 'America/Mexico_City', 19.4326, -99.1332, '{food,museums}'),
    (5, 'Edinburgh', 'Scotland', 'GBP', 'Europe/London', 55.9533, -3.1883, '{history,hills}'),
    (6, 'Marrakesh', 'Morocco', 'MAD', 'Africa/Casablanca', 31.6295, -7.9811, '{markets,gardens}'),
    (7, 'New York', 'United States', 'USD', 'America/New_York', 40.7128, -74.0060, '{museums,shows}'),
    (8, 'Queenstown', 'New Zealand', 'NZD', 'Pacific/Auckland', -45.0312, 168.6626, '{nature,lakes}'),
    (9, 'Cape Town', 'South Africa', 'ZAR', 'Africa/Johannesburg', -33.9249, 18.4241, '{coast,hikes}'),
    (10, 'Vancouver', 'Canada', 'CAD', 'America/Vancouver', 49.2827, -123.1207, '{nature,coast}');

INSERT INTO auth.users (id, email, full_name, created_at)
SELECT pg_temp.user_id(n), lower(split_part(name, ' ', 1)) || '.' || n || '@example.org', name,
       timestamptz '2026-03-01 08:00+00' + n * interval '7 hours'
FROM unnest(ARRAY[
    'Ada Lindqvist', 'Ben Okafor', 'Chloe Martin', 'Daniel Reyes', 'Elif Yılmaz', 'Farah Haddad',
    'Giulia Conti', 'Hiro Tanaka', 'Ines Carvalho', 'Jonas Weber', 'Katya Ivanova', 'Liam Murphy',
    'Mei Chen', 'Noah Fischer', 'Olivia Brown', 'Pedro Alves', 'Qiara Bianchi', 'Ravi Nair',
    'Sofia Rossi', 'Tomás Novák', 'Uma Patel', 'Viktor Larsen', 'Wanda Kowalska', 'Xavier Dubois',
    'Yuki Sato', 'Zoe Papadaki', 'Amara Diallo', 'Bruno Costa', 'Carla Jiménez', 'Dmitri Petrov',
    'Emma Johansson', 'Felix Bauer', 'Grace Kim', 'Hassan Ali', 'Isla Campbell', 'Jakub Zieliński',
    'Kwame Mensah', 'Lena Hoffmann', 'Marco Ferrari', 'Nadia Rahman', 'Oscar Nilsson', 'Priya Sharma',
    'Quentin Moreau', 'Rosa Delgado', 'Samuel Cohen', 'Tara O''Connor', 'Ulrik Hansen', 'Valeria Cruz',
    'William Scott', 'Ximena Torres'
]) WITH ORDINALITY AS people (name, n);

-- Trip t belongs to user (t - 1) mod 50 + 1, except that Chloe's second trip went to Daniel.
INSERT INTO public.trips (id, user_id, name, destination, description, start_date, end_date, budget,
                          currency, travelers, status, tags, preferences, created_at, updated_at)
SELECT t,
       pg_temp.user_id(CASE t WHEN 53 THEN 4 ELSE (t - 1) % 50 + 1 END),
       CASE t WHEN 1 THEN 'Lisbon in spring'
              ELSE format((ARRAY['A week in %s', '%s with friends', 'Slow days in %s', '%s, finally',
                                 'Long weekend in %s', '%s and around', 'Back to %s'])[t % 7 + 1], d.name) END,
       d.name,
       'From ' || to_char(start, 'FMDD Month') || ', ' || days || ' nights in ' || d.name || ', ' || d.country || '.',
       start, start + days, 900 + (t * 137) % 4100, d.currency, 1 + t % 5,
       CASE WHEN t = 1 THEN 'planning'
            ELSE (ARRAY['planning', 'booked', 'planning', 'completed'])[t % 4 + 1] END,
       d.tags,
       jsonb_build_object('pace', (ARRAY['slow', 'medium', 'fast'])[t % 3 + 1], 'vegetarian', t % 4 = 0),
       timestamptz '2026-09-01 10:00+00' + t * interval '5 hours',
       timestamptz '2026-09-01 10:00+00' + t * interval '5 hours'
FROM generate_series(1, 100) AS t
JOIN public.destinations AS d ON d.id = (t - 1) % 10 + 1
CROSS JOIN LATERAL (SELECT CASE t WHEN 1 THEN date '2027-04-12' ELSE date '2027-03-01' + t * 3 END AS start,
                           CASE t WHEN 1 THEN 6 ELSE 3 + t % 8 END AS days) AS dates;

-- Trip 1: Ben edits, Daniel watches. The others have one to four members, never their owner.
INSERT INTO public.trip_collaborators (trip_id, user_id, role, created_at)
SELECT trip_id, user_id, role, timestamptz '2026-09-20 12:00+00' + trip_id * interval '1 hour'
FROM (
    SELECT 1::bigint AS trip_id, pg_temp.user_id(2) AS user_id, 'editor' AS role
    UNION ALL
    SELECT 1, pg_temp.user_id(4), 'viewer'
    UNION ALL
    SELECT t, pg_temp.user_id((t * 7 + m * 11) % 50 + 1),
           (ARRAY['viewer', 'editor', 'admin'])[(t + m) % 3 + 1]
    FROM generate_series(2, 100) AS t
    CROSS JOIN LATERAL generate_series(1, 1 + t % 4) AS m
) AS member
WHERE NOT EXISTS (SELECT FROM public.trips
                  WHERE trips.id = member.trip_id AND trips.user_id = member.user_id)
ORDER BY trip_id, user_id;

CREATE TEMP TABLE plan (destination text, nth int, item_type text, title text, location text,
                        starts time, minutes int, euros numeric) ON COMMIT DROP;
INSERT INTO plan VALUES
    ('Lisbon', 1, 'transport', 'Metro from the airport', 'Aeroporto, Linha Vermelha', '11:20', 35, 1.85),
    ('Lisbon', 2, 'accommodation', 'Check in at Casa do Jasmim', 'Rua do Jasmim 18, Príncipe Real', '13:00', 30, NULL),
    ('Lisbon', 3, 'activity', 'Tram 28 to Graça', 'Praça Martim Moniz', '15:30', 50, 3.10),
    ('Lisbon', 4, 'activity', 'Sunset at Miradouro da Senhora do Monte', 'Graça', '18:45', 60, NULL),
    ('Lisbon', 5, 'meal', 'Dinner at Zé da Mouraria', 'Rua João do Outeiro 24', '20:30', 105, 46),
    ('Lisbon', 6, 'activity', 'Jerónimos Monastery', 'Praça do Império, Belém', '10:00', 90, 18),
    ('Lisbon', 7, 'meal', 'Pastéis de Belém', 'Rua de Belém 84', '12:00', 40, 8.50),
    ('Lisbon', 8, 'event', 'Fado night in Alfama', 'Beco do Espírito Santo', '21:30', 120, 35),
    ('Kyoto', 1, 'activity', 'Fushimi Inari before breakfast', 'Fukakusa Yabunouchicho', '06:30', 150, NULL),
    ('Kyoto', 2, 'meal', 'Lunch at Nishiki Market', 'Nishikikoji-dori', '12:00', 75, 18),
    ('Kyoto', 3, 'activity', 'Arashiyama bamboo grove', 'Sagatenryuji', '09:00', 120, NULL),
    ('Kyoto', 4, 'activity', 'Kinkaku-ji', 'Kinkakujicho 1', '14:00', 60, 3.20),
    ('Kyoto', 5, 'event', 'Tea ceremony', 'Nineizaka', '16:00', 60, 28),
    ('Kyoto', 6, 'transport', 'Train to Nara', 'Kyoto Station', '08:40', 45, 4.60),
    ('Kyoto', 7, 'meal', 'Kaiseki dinner in Pontocho', 'Pontocho-dori', '19:00', 120, 95),
    ('Kyoto', 8, 'activity', 'Philosopher''s Path', 'Ginkakuji to Nanzenji', '10:30', 90, NULL),
    ('Reykjavík', 1, 'activity', 'Hallgrímskirkja tower', 'Hallgrímstorg 1', '10:00', 45, 9),
    ('Reykjavík', 2, 'activity', 'Golden Circle by car', 'Þingvellir, Geysir, Gullfoss', '08:30', 540, 70),
    ('Reykjavík', 3, 'activity', 'Sky Lagoon', 'Kársnes', '17:00', 150, 85),
    ('Reykjavík', 4, 'meal', 'Hot dogs at the harbour', 'Tryggvagata 1', '12:30', 20, 6),
    ('Reykjavík', 5, 'event', 'Northern lights tour', 'Old harbour', '21:30', 210, 75),
    ('Reykjavík', 6, 'meal', 'Fish of the day at Messinn', 'Lækjargata 6b', '19:00', 90, 48),
    ('Reykjavík', 7, 'transport', 'Flybus to Keflavík', 'BSÍ terminal', '04:30', 45, 26),
    ('Reykjavík', 8, 'activity', 'Harpa concert hall tour', 'Austurbakki 2', '13:30', 45, 18),
    ('Mexico City', 1, 'activity', 'Museo Nacional de Antropología', 'Bosque de Chapultepec', '10:00', 180, 5),
    ('Mexico City', 2, 'meal', 'Tacos al pastor at El Vilsito', 'Narvarte', '21:00', 60, 9),
    ('Mexico City', 3, 'activity', 'Casa Azul', 'Coyoacán', '11:30', 90, 14),
    ('Mexico City', 4, 'activity', 'Trajinera on the canals', 'Xochimilco', '13:00', 180, 40),
    ('Mexico City', 5, 'activity', 'Teotihuacán', 'San Juan Teotihuacán', '07:00', 360, 25),
    ('Mexico City', 6, 'meal', 'Breakfast at Lalo!', 'Zacatecas 173, Roma Norte', '09:00', 70, 15),
    ('Mexico City', 7, 'event', 'Lucha libre', 'Arena México', '19:30', 150, 18),
    ('Mexico City', 8, 'activity', 'Palacio de Bellas Artes', 'Avenida Juárez', '15:00', 80, 5),
    ('Edinburgh', 1, 'activity', 'Arthur''s Seat', 'Holyrood Park', '08:30', 150, NULL),
    ('Edinburgh', 2, 'activity', 'Edinburgh Castle', 'Castlehill', '11:30', 120, 21),
    ('Edinburgh', 3, 'meal', 'Lunch at Oink', 'Victoria Street 34', '13:30', 40, 9),
    ('Edinburgh', 4, 'activity', 'Royal Mile and the closes', 'Old Town', '15:00', 90, NULL),
    ('Edinburgh', 5, 'event', 'Ceilidh at Summerhall', 'Summerhall Place 1', '20:00', 180, 16),
    ('Edinburgh', 6, 'transport', 'Bus to Portobello', 'Princes Street', '10:00', 30, 2.30),
    ('Edinburgh', 7, 'meal', 'Dinner at The Scran & Scallie', 'Comely Bank Road 1', '19:00', 100, 55),
    ('Edinburgh', 8, 'activity', 'Royal Botanic Garden', 'Inverleith Row', '11:00', 100, NULL),
    ('Marrakesh', 1, 'activity', 'Jardin Majorelle', 'Rue Yves Saint Laurent', '08:30', 75, 15),
    ('Marrakesh', 2, 'activity', 'Souks with a guide', 'Medina', '10:30', 150, 25),
    ('Marrakesh', 3, 'meal', 'Tanjia on Jemaa el-Fnaa', 'Mechoui Alley', '13:00', 60, 12),
    ('Marrakesh', 4, 'activity', 'Bahia Palace', 'Avenue Imam El Ghazali', '15:30', 75, 7),
    ('Marrakesh', 5, 'event', 'Hammam', 'Rue Dar el Bacha', '17:00', 120, 45),
    ('Marrakesh', 6, 'meal', 'Dinner at Nomad', 'Derb Aarjane 1', '20:00', 105, 32),
    ('Marrakesh', 7, 'transport', 'Car to the Ourika valley', 'Bab Doukkala', '09:00', 75, 40),
    ('Marrakesh', 8, 'activity', 'Ben Youssef Madrasa', 'Kaat Benahid', '11:00', 60, 5),
    ('New York', 1, 'activity', 'High Line from Gansevoort', 'Meatpacking District', '09:30', 90, NULL),
    ('New York', 2, 'activity', 'MoMA', 'West 53rd Street 11', '11:30', 180, 28),
    ('New York', 3, 'meal', 'Slice at Joe''s', 'Carmine Street 7', '14:45', 25, 5),
    ('New York', 4, 'event', 'Village Vanguard, late set', '7th Avenue South 178', '22:00', 90, 45),
    ('New York', 5, 'transport', 'Staten Island Ferry', 'Whitehall Terminal', '17:00', 60, NULL),
    ('New York', 6, 'meal', 'Brunch at Russ & Daughters', 'Orchard Street 127', '10:30', 80, 38),
    ('New York', 7, 'activity', 'Brooklyn Bridge on foot', 'City Hall Park', '18:30', 60, NULL),
    ('New York', 8, 'activity', 'The Met, roof garden', 'Fifth Avenue 1000', '15:30', 150, 28),
    ('Queenstown', 1, 'activity', 'Skyline gondola', 'Brecon Street', '10:00', 90, 32),
    ('Queenstown', 2, 'activity', 'Milford Sound cruise', 'Freshwater Basin', '07:00', 720, 130),
    ('Queenstown', 3, 'meal', 'Fergburger', 'Shotover Street 42', '12:30', 45, 12),
    ('Queenstown', 4, 'activity', 'Ben Lomond track', 'Tiki Trail', '08:00', 420, NULL),
    ('Queenstown', 5, 'transport', 'Bus to Arrowtown', 'Stanley Street', '13:30', 40, 3),
    ('Queenstown', 6, 'meal', 'Dinner at Botswana Butchery', 'Marine Parade 17', '19:30', 110, 70),
    ('Queenstown', 7, 'event', 'Jet boat on the Shotover', 'Arthurs Point', '15:00', 60, 95),
    ('Queenstown', 8, 'activity', 'Lake Wakatipu by kayak', 'Frankton Beach', '10:30', 120, 40),
    ('Cape Town', 1, 'activity', 'Table Mountain by cable car', 'Tafelberg Road', '08:00', 180, 22),
    ('Cape Town', 2, 'activity', 'Boulders Beach penguins', 'Simon''s Town', '11:00', 90, 10),
    ('Cape Town', 3, 'meal', 'Fish at Kalky''s', 'Kalk Bay harbour', '13:00', 60, 14),
    ('Cape Town', 4, 'activity', 'Kirstenbosch gardens', 'Rhodes Drive', '15:00', 120, 11),
    ('Cape Town', 5, 'event', 'Jazz at The Crypt', 'Wale Street 1', '20:00', 150, 12),
    ('Cape Town', 6, 'activity', 'Robben Island', 'Nelson Mandela Gateway', '09:00', 210, 32),
    ('Cape Town', 7, 'meal', 'Lunch in Franschhoek', 'La Motte', '12:30', 120, 48),
    ('Cape Town', 8, 'transport', 'MyCiTi bus to Camps Bay', 'Adderley Street', '17:00', 30, 1.50),
    ('Vancouver', 1, 'activity', 'Stanley Park seawall by bike', 'Coal Harbour', '09:30', 150, 28),
    ('Vancouver', 2, 'meal', 'Granville Island market', 'Johnston Street', '12:30', 75, 18),
    ('Vancouver', 3, 'activity', 'Capilano bridge', 'North Vancouver', '15:00', 120, 42),
    ('Vancouver', 4, 'activity', 'Museum of Anthropology', 'NW Marine Drive 6393', '10:00', 120, 17),
    ('Vancouver', 5, 'transport', 'SeaBus to Lonsdale Quay', 'Waterfront', '17:30', 15, 3),
    ('Vancouver', 6, 'meal', 'Ramen on Robson', 'Robson Street', '19:00', 60, 16),
    ('Vancouver', 7, 'event', 'Canucks home game', 'Rogers Arena', '19:00', 180, 85),
    ('Vancouver', 8, 'activity', 'Grouse Grind', 'Nancy Greene Way', '08:00', 120, NULL);

-- Eight items a trip, spread over its days; entered by the owner or by somebody who may edit.
INSERT INTO public.itinerary_items (trip_id, user_id, item_type, title, location, start_time, end_time,
                                    position, price, currency, booking_status, metadata, created_at,
                                    updated_at, updated_by)
SELECT t.id, author.id, p.item_type, p.title, p.location, at.starts,
       at.starts + p.minutes * interval '1 minute', p.nth * 10,
       round(p.euros * c.units_per_euro, 2), CASE WHEN p.euros IS NOT NULL THEN c.code END,
       (ARRAY['planned', 'reserved', 'booked'])[(t.id + p.nth)::int % 3 + 1],
       jsonb_build_object('day', at.day + 1, 'source', CASE WHEN p.nth % 3 = 0 THEN 'assistant' ELSE 'planner' END),
       t.created_at + p.nth * interval '4 minutes', t.created_at + p.nth * interval '4 minutes', author.id
FROM public.trips AS t
JOIN plan AS p ON p.destination = t.destination
JOIN public.currencies AS c ON c.code = t.currency
JOIN public.destinations AS d ON d.name = t.destination
CROSS JOIN LATERAL (SELECT day, (t.start_date + day + p.starts) AT TIME ZONE d.time_zone AS starts
                    FROM (SELECT CASE WHEN t.id = 1 THEN (p.nth - 1) / 5
                                      ELSE (p.nth - 1) * (t.end_date - t.start_date) / 8 END AS day) AS x) AS at
CROSS JOIN LATERAL (
    SELECT COALESCE(CASE WHEN p.nth % 2 = 0 THEN
                        (SELECT k.user_id FROM public.trip_collaborators AS k
                         WHERE k.trip_id = t.id AND k.role IN ('editor', 'admin') ORDER BY k.id LIMIT 1) END,
                    t.user_id) AS id) AS author
ORDER BY t.id, p.nth;

-- Out and back for the owner; a collaborator books their own, which the owner cannot see.
INSERT INTO public.flights (trip_id, user_id, airline, flight_number, origin, destination, departure_time,
                            arrival_time, flight_class, price, currency, booking_status, created_at, updated_at)
SELECT t.id, traveller.user_id, a.name, a.code || ' ' || 100 + (t.id * 17 + leg * 3 + traveller.nth) % 800,
       CASE leg WHEN 1 THEN 'Berlin' ELSE t.destination END, CASE leg WHEN 1 THEN t.destination ELSE 'Berlin' END,
       departs, departs + interval '3 hours' + t.id % 9 * interval '55 minutes',
       (ARRAY['economy', 'economy', 'premium_economy', 'business'])[t.id % 4 + 1],
       89 + (t.id * 53 + leg * 11) % 700, 'EUR', (ARRAY['available', 'reserved', 'booked'])[t.id % 3 + 1],
       t.created_at + interval '1 day', t.created_at + interval '1 day'
FROM public.trips AS t
CROSS JOIN LATERAL (
    SELECT t.user_id, 0 AS nth
    UNION ALL
    (SELECT k.user_id, 1 FROM public.trip_collaborators AS k WHERE k.trip_id = t.id AND t.id % 2 = 1
     ORDER BY k.id LIMIT 1)) AS traveller
CROSS JOIN generate_series(1, 2) AS leg
CROSS JOIN LATERAL (SELECT CASE leg WHEN 1 THEN t.start_date ELSE t.end_date END
                           + time '07:15' + t.id % 12 * interval '50 minutes' AS local) AS l
CROSS JOIN LATERAL (SELECT l.local AT TIME ZONE 'Europe/Berlin' AS departs) AS d
CROSS JOIN LATERAL (SELECT * FROM (VALUES (0, 'Lufthansa', 'LH'), (1, 'TAP Air Portugal', 'TP'),
                                          (2, 'KLM', 'KL'), (3, 'Icelandair', 'FI'), (4, 'Iberia', 'IB'))
                                   AS v (n, name, code) WHERE v.n = t.id % 5) AS a
ORDER BY t.id, traveller.nth, leg;

INSERT INTO public.accommodations (trip_id, name, address, check_in_date, check_out_date, room_type,
                                   price_per_night, currency, rating, amenities, booking_status,
                                   created_at, updated_at)
SELECT t.id, h.name, h.address, t.start_date, t.end_date,
       (ARRAY['double', 'twin', 'suite', 'apartment'])[t.id % 4 + 1], 70 + (t.id * 29) % 210, 'EUR',
       3.5 + (t.id % 15) / 10.0,
       (ARRAY['{wifi,breakfast}', '{wifi,kitchen,laundry}', '{wifi,pool,parking}'])[t.id % 3 + 1]::text[],
       (ARRAY['available', 'reserved', 'booked'])[t.id % 3 + 1],
       t.created_at + interval '2 days', t.created_at + interval '2 days'
FROM public.trips AS t
JOIN (VALUES ('Lisbon', 'Casa do Jasmim', 'Rua do Jasmim 18'), ('Kyoto', 'Ryokan Shirakawa', 'Gion 521'),
             ('Reykjavík', 'Hótel Höfn', 'Tjarnargata 9'), ('Mexico City', 'Casa Roma Norte', 'Orizaba 112'),
             ('Edinburgh', 'The Inverleith House', 'Inverleith Row 20'),
             ('Marrakesh', 'Riad Dar Zitoun', 'Derb el Hammam 7'), ('New York', 'Hotel Bleecker', 'Bleecker Street 160'),
             ('Queenstown', 'Lakeside Lodge', 'Beach Street 31'), ('Cape Town', 'Tamboerskloof Rooms', 'Kloof Nek Road 44'),
             ('Vancouver', 'Coal Harbour Suites', 'West Hastings Street 1128'))
     AS h (destination, name, address) ON h.destination = t.destination
ORDER BY t.id;

-- One conversation a trip, by its owner or its first collaborator; and one in ten people also has one
-- about no trip at all.
INSERT INTO public.chat_sessions (id, trip_id, user_id, metadata, created_at, updated_at)
SELECT md5('session-' || n)::uuid, trip_id, user_id, jsonb_build_object('title', title), at, at
FROM (
    SELECT t.id AS n, t.id AS trip_id,
           CASE WHEN t.id % 3 = 0 THEN COALESCE(
               (SELECT k.user_id FROM public.trip_collaborators AS k WHERE k.trip_id = t.id ORDER BY k.id LIMIT 1),
               t.user_id) ELSE t.user_id END AS user_id,
           'Ideas for ' || t.destination AS title, t.created_at + interval '3 days' AS at
    FROM public.trips AS t
    UNION ALL
    SELECT 100 + n, NULL, pg_temp.user_id(n * 10), 'Where to next?',
           timestamptz '2026-10-10 19:00+00' + n * interval '1 day'
    FROM generate_series(1, 5) AS n
) AS s;

INSERT INTO public.chat_messages (session_id, user_id, role, content, metadata, created_at)
SELECT s.id, s.user_id, line.role,
       replace(line.content, '%s', COALESCE(t.destination, 'somewhere warm')),
       CASE line.role WHEN 'assistant' THEN jsonb_build_object('status', 'completed') ELSE '{}' END,
       s.created_at + line.nth * interval '40 seconds'
FROM public.chat_sessions AS s
LEFT JOIN public.trips AS t ON t.id = s.trip_id
CROSS JOIN (VALUES
    (1, 'user', 'What should we not miss in %s?'),
    (2, 'assistant', 'Start early, walk a lot, and leave one afternoon empty. I put three ideas for %s into the plan.'),
    (3, 'user', 'Can you find a table for Saturday evening?'),
    (4, 'assistant', 'Two places in %s have room at 20:00. I held the quieter one until tomorrow noon.'))
    AS line (nth, role, content)
ORDER BY s.created_at, s.id, line.nth;

INSERT INTO public.chat_tool_calls (message_id, tool_name, arguments, result, status, created_at, completed_at)
SELECT m.id, call.tool, jsonb_build_object('query', call.query), jsonb_build_object('hits', 3 + m.id % 7),
       'completed', m.created_at - interval '6 seconds', m.created_at - interval '2 seconds'
FROM public.chat_messages AS m
CROSS JOIN LATERAL (SELECT CASE WHEN m.content LIKE 'Two places%' THEN 'find_table' ELSE 'search_places' END AS tool,
                           left(m.content, 40) AS query) AS call
WHERE m.role = 'assistant'
ORDER BY m.id;

INSERT INTO public.user_api_keys (user_id, service, encrypted_key, is_valid, created_at, updated_at)
SELECT pg_temp.user_id(n), (ARRAY['maps', 'weather', 'flights'])[n % 3 + 1], 'secret-' || md5('api-key-' || n),
       n % 9 <> 0, at, at
FROM generate_series(1, 50) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-10-01 07:30+00' + n * interval '3 hours' AS at) AS x;

-- Explicit ids were used for trips only; new ones go on after them.
ALTER TABLE public.trips ALTER COLUMN id RESTART WITH 101;
ANALYZE;
