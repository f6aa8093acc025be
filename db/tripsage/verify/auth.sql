-- Verify tripsage:auth on pg
BEGIN;

SELECT id, email, full_name, created_at FROM auth.users WHERE false;

SELECT 1 / (auth.uid() IS NULL AND auth.jwt() IS NULL)::int;
SET LOCAL "request.jwt.claim.sub" = '00000000-0000-0000-0000-000000000001';
SELECT 1 / (auth.uid() = '00000000-0000-0000-0000-000000000001')::int;
SET LOCAL "request.jwt.claims" =
    '{"sub":"00000000-0000-0000-0000-000000000002","role":"authenticated","email":"a@example.org"}';
SELECT 1 / (auth.uid() = '00000000-0000-0000-0000-000000000002')::int;
SELECT 1 / (auth.role() = 'authenticated' AND auth.email() = 'a@example.org')::int;

ROLLBACK;
