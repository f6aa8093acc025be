-- Revert tripsage:chat from pg
BEGIN;

DROP TABLE public.chat_tool_calls;
DROP TABLE public.chat_messages;
DROP TABLE public.chat_sessions;

COMMIT;
