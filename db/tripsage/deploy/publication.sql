-- Deploy tripsage:publication to pg
-- No row filter, and no column list on a table that a policy reads: the gateway must see what the
-- policies see.
BEGIN;

CREATE PUBLICATION supabase_realtime FOR TABLE
    public.trips,
    public.trip_collaborators,
    public.itinerary_items,
    public.flights,
    public.accommodations,
    public.chat_sessions,
    public.chat_messages,
    public.chat_tool_calls,
    public.user_api_keys (id, user_id, service, is_valid, created_at, updated_at),
    public.destinations,
    public.currencies;

COMMIT;
