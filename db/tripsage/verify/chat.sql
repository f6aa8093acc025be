-- Verify tripsage:chat on pg
BEGIN;

SELECT id, trip_id, user_id, metadata, created_at, updated_at FROM public.chat_sessions WHERE false;
SELECT id, session_id, user_id, role, content, metadata, created_at
FROM public.chat_messages WHERE false;
SELECT id, message_id, tool_name, arguments, result, status, error_message, created_at, completed_at
FROM public.chat_tool_calls WHERE false;

SELECT 1 / (relrowsecurity AND relreplident = 'f')::int FROM pg_class
WHERE oid IN ('public.chat_sessions'::regclass, 'public.chat_messages'::regclass,
              'public.chat_tool_calls'::regclass);
SELECT 1 / (count(*) = 7)::int FROM pg_policy
WHERE polrelid IN ('public.chat_sessions'::regclass, 'public.chat_messages'::regclass,
                   'public.chat_tool_calls'::regclass);

SET LOCAL ROLE authenticated;
SELECT 1 / (count(*) = 0)::int FROM public.chat_sessions;
SELECT 1 / (count(*) = 0)::int FROM public.chat_messages;
SELECT 1 / (count(*) = 0)::int FROM public.chat_tool_calls;

ROLLBACK;
