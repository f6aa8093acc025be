// Every kind of catalog change that may hide a row or a column. Each has a table of its own: `tighten` hides from the
// reader what is written next, `loosen` shows it again.
//
//   by: what tells of it in order with the data
//     'relation'  a Relation message before the table's next row: needs nothing installed
//     'trigger'   only the message of the event trigger that `rowcast setup` installs
//     'poll'      nothing: it is noticed within ROWCAST_CATALOG_POLL_MS
//
//   lacks: columns that a row written under `tighten` must come without; when absent, it must not come at all
//   filter: of a second binding, which must not match then

export const ALICE = 'a1111111-1111-4111-8111-111111111111';
const OTHER = 'b2222222-2222-4222-8222-222222222222';
const OWN = 'owner = auth.uid()';
const ALL = 'owner IS NOT NULL';

const table = (k) => `ord.${k.name}`;
const policy = (k, name, using, more = '') => `CREATE POLICY ${name} ON ${table(k)} ${more} FOR SELECT TO ${k.role} USING (${using})`;
const withPolicies = (k, ...policies) => [`ALTER TABLE ${table(k)} ENABLE ROW LEVEL SECURITY`, ...policies];
const looks = (k) => `EXISTS (SELECT 1 FROM ord.${k.name}_inner i WHERE i.k = owner)`;
// A table that only the policy of the other reads. One row, by which everything is shown.
const inner = (k, ...more) => [
  `CREATE TABLE ord.${k.name}_inner (k uuid PRIMARY KEY, who uuid)`, `ALTER TABLE ord.${k.name}_inner REPLICA IDENTITY FULL`,
  `INSERT INTO ord.${k.name}_inner VALUES ('${OTHER}', '${OTHER}')`, `GRANT SELECT ON ord.${k.name}_inner TO ${k.role}, order_weak, order_plain`, ...more,
];
const shows = (k) => `ord.${k.name}_shows`;
const showing = (k, language, body) => `CREATE OR REPLACE FUNCTION ${shows(k)}(owner uuid) RETURNS boolean LANGUAGE ${language} STABLE ${body}`;
const isLookedUp = (k, definer) => showing(k, 'sql', `${definer} AS $$ SELECT EXISTS (SELECT 1 FROM ord.${k.name}_inner i WHERE i.k = $1) $$`);

const KINDS = [
  { name: 'drop_policy', by: 'relation', setup: (k) => withPolicies(k, policy(k, 'own', OWN), policy(k, 'every', ALL)),
    tighten: (k) => `DROP POLICY every ON ${table(k)}`, loosen: (k) => policy(k, 'every', ALL) },
  { name: 'alter_using', by: 'relation', setup: (k) => withPolicies(k, policy(k, 'p', ALL)),
    tighten: (k) => `ALTER POLICY p ON ${table(k)} USING (${OWN})`, loosen: (k) => `ALTER POLICY p ON ${table(k)} USING (${ALL})` },
  { name: 'restrictive', by: 'relation', setup: (k) => withPolicies(k, policy(k, 'p', ALL)),
    tighten: (k) => policy(k, 'narrow', OWN, 'AS RESTRICTIVE'), loosen: (k) => `DROP POLICY narrow ON ${table(k)}` },
  { name: 'enable_rls', by: 'relation', setup: (k) => [policy(k, 'p', OWN)],
    tighten: (k) => `ALTER TABLE ${table(k)} ENABLE ROW LEVEL SECURITY`, loosen: (k) => `ALTER TABLE ${table(k)} DISABLE ROW LEVEL SECURITY` },
  { name: 'force_rls', by: 'relation', role: 'order_owner', setup: (k) => [...withPolicies(k, policy(k, 'p', OWN)), `ALTER TABLE ${table(k)} OWNER TO order_owner`],
    tighten: (k) => `ALTER TABLE ${table(k)} FORCE ROW LEVEL SECURITY`, loosen: (k) => `ALTER TABLE ${table(k)} NO FORCE ROW LEVEL SECURITY` },
  { name: 'revoke_table', by: 'relation', setup: (k) => withPolicies(k, policy(k, 'p', ALL)),
    tighten: (k) => `REVOKE SELECT ON ${table(k)} FROM authenticated`, loosen: (k) => `GRANT SELECT ON ${table(k)} TO authenticated` },
  { name: 'revoke_column', by: 'relation', lacks: ['body'], filter: 'body=eq.needle',
    setup: (k) => [...withPolicies(k, policy(k, 'p', ALL)), `REVOKE SELECT ON ${table(k)} FROM authenticated`, `GRANT SELECT (id, owner, body) ON ${table(k)} TO authenticated`],
    tighten: (k) => `REVOKE SELECT (body) ON ${table(k)} FROM authenticated`, loosen: (k) => `GRANT SELECT (body) ON ${table(k)} TO authenticated` },
  { name: 'policy_role', by: 'relation', setup: (k) => withPolicies(k, policy(k, 'p', ALL)),
    tighten: (k) => `ALTER POLICY p ON ${table(k)} TO service_role`, loosen: (k) => `ALTER POLICY p ON ${table(k)} TO authenticated` },
  { name: 'table_owner', by: 'relation', role: 'order_owner', setup: (k) => [...withPolicies(k, policy(k, 'p', OWN)), `ALTER TABLE ${table(k)} OWNER TO order_owner`],
    tighten: (k) => `ALTER TABLE ${table(k)} OWNER TO postgres; GRANT SELECT ON ${table(k)} TO order_owner`, loosen: (k) => `ALTER TABLE ${table(k)} OWNER TO order_owner` },
  { name: 'drop_column', by: 'relation', setup: (k) => withPolicies(k, `ALTER TABLE ${table(k)} ADD shown boolean DEFAULT true`, policy(k, 'p', 'shown')),
    tighten: (k) => `ALTER TABLE ${table(k)} DROP COLUMN shown CASCADE`, loosen: (k) => `ALTER TABLE ${table(k)} ADD shown boolean DEFAULT true; ${policy(k, 'p', 'shown')}` },
  { name: 'column_type', by: 'relation', setup: (k) => withPolicies(k, `ALTER TABLE ${table(k)} ADD level text DEFAULT '1'`, policy(k, 'p', "level = '1'")),
    tighten: (k) => `DROP POLICY p ON ${table(k)}; ALTER TABLE ${table(k)} ALTER level DROP DEFAULT, ALTER level TYPE int USING level::int, ALTER level SET DEFAULT 1; ${policy(k, 'p', 'level > 1')}`,
    loosen: (k) => `DROP POLICY p ON ${table(k)}; ALTER TABLE ${table(k)} ALTER level DROP DEFAULT, ALTER level TYPE text USING level::text, ALTER level SET DEFAULT '1'; ${policy(k, 'p', "level = '1'")}` },
  // The privilege stays with the column, under whatever name: now it is on the one that was called `title`.
  { name: 'rename_column', by: 'relation', lacks: ['body'],
    setup: (k) => [...withPolicies(k, policy(k, 'p', ALL)), `ALTER TABLE ${table(k)} ADD title text DEFAULT 'title'`, `REVOKE SELECT ON ${table(k)} FROM authenticated`,
      `GRANT SELECT (id, owner, body) ON ${table(k)} TO authenticated`],
    tighten: (k) => swap(k), loosen: (k) => swap(k) },
  { name: 'revoke_usage', by: 'trigger', schema: 'ord_usage', setup: (k) => [policy(k, 'p', ALL).replace('ord.', 'ord_usage.')],
    tighten: () => 'REVOKE USAGE ON SCHEMA ord_usage FROM authenticated', loosen: () => 'GRANT USAGE ON SCHEMA ord_usage TO authenticated' },
  { name: 'function_body', by: 'trigger', setup: (k) => [showing(k, 'sql', 'AS $$ SELECT $1 IS NOT NULL $$'), ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => showing(k, 'sql', 'AS $$ SELECT $1 = auth.uid() $$'), loosen: (k) => showing(k, 'sql', 'AS $$ SELECT $1 IS NOT NULL $$') },
  { name: 'function_plpgsql', by: 'trigger', setup: (k) => [showing(k, 'plpgsql', 'AS $$ BEGIN RETURN $1 IS NOT NULL; END $$'), ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => showing(k, 'plpgsql', 'AS $$ BEGIN RETURN $1 = auth.uid(); END $$'), loosen: (k) => showing(k, 'plpgsql', 'AS $$ BEGIN RETURN $1 IS NOT NULL; END $$') },
  { name: 'function_definer', by: 'trigger',
    setup: (k) => [...inner(k, `ALTER TABLE ord.${k.name}_inner ENABLE ROW LEVEL SECURITY`), isLookedUp(k, 'SECURITY DEFINER'), ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => `ALTER FUNCTION ${shows(k)} SECURITY INVOKER`, loosen: (k) => `ALTER FUNCTION ${shows(k)} SECURITY DEFINER` },
  { name: 'function_owner', by: 'trigger',
    setup: (k) => [...inner(k, `ALTER TABLE ord.${k.name}_inner ENABLE ROW LEVEL SECURITY`), isLookedUp(k, 'SECURITY DEFINER'), ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => `ALTER FUNCTION ${shows(k)} OWNER TO order_plain`, loosen: (k) => `ALTER FUNCTION ${shows(k)} OWNER TO postgres` },
  { name: 'function_path', by: 'trigger',
    setup: (k) => [`CREATE TABLE ord_shut.${k.name}_inner (k uuid PRIMARY KEY, who uuid)`, `GRANT SELECT ON ord_shut.${k.name}_inner TO authenticated`, ...inner(k),
      showing(k, 'sql', `SET search_path = ord AS $$ SELECT EXISTS (SELECT 1 FROM ${k.name}_inner i WHERE i.k = $1) $$`), ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => `ALTER FUNCTION ${shows(k)} SET search_path = ord_shut`, loosen: (k) => `ALTER FUNCTION ${shows(k)} SET search_path = ord` },
  { name: 'revoke_execute', by: 'trigger',
    setup: (k) => [showing(k, 'sql', 'AS $$ SELECT $1 IS NOT NULL $$'), `REVOKE EXECUTE ON FUNCTION ${shows(k)} FROM PUBLIC`, `GRANT EXECUTE ON FUNCTION ${shows(k)} TO authenticated`,
      ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`))],
    tighten: (k) => `REVOKE EXECUTE ON FUNCTION ${shows(k)} FROM authenticated`, loosen: (k) => `GRANT EXECUTE ON FUNCTION ${shows(k)} TO authenticated` },
  { name: 'inner_policy', by: 'trigger',
    setup: (k) => [...inner(k, `ALTER TABLE ord.${k.name}_inner ENABLE ROW LEVEL SECURITY`, `CREATE POLICY p ON ord.${k.name}_inner FOR SELECT TO authenticated USING (who IS NOT NULL)`),
      ...withPolicies(k, policy(k, 'p', looks(k)))],
    tighten: (k) => `ALTER POLICY p ON ord.${k.name}_inner USING (who = auth.uid())`, loosen: (k) => `ALTER POLICY p ON ord.${k.name}_inner USING (who IS NOT NULL)` },
  { name: 'inner_rls', by: 'trigger', setup: (k) => [...inner(k), ...withPolicies(k, policy(k, 'p', looks(k)))],
    tighten: (k) => `ALTER TABLE ord.${k.name}_inner ENABLE ROW LEVEL SECURITY`, loosen: (k) => `ALTER TABLE ord.${k.name}_inner DISABLE ROW LEVEL SECURITY` },
  { name: 'inner_revoke', by: 'trigger', setup: (k) => [...inner(k), ...withPolicies(k, policy(k, 'p', looks(k)))],
    tighten: (k) => `REVOKE SELECT ON ord.${k.name}_inner FROM authenticated`, loosen: (k) => `GRANT SELECT ON ord.${k.name}_inner TO authenticated` },
  { name: 'role_bypass', by: 'poll', role: 'order_bypass', setup: (k) => withPolicies(k, policy(k, 'p', OWN)),
    tighten: () => 'ALTER ROLE order_bypass NOBYPASSRLS', loosen: () => 'ALTER ROLE order_bypass BYPASSRLS' },
  { name: 'role_member', by: 'poll', role: 'order_member', setup: (k) => withPolicies(k, policy(k, 'p', ALL).replace('TO order_member', 'TO order_group')),
    tighten: () => 'REVOKE order_group FROM order_member', loosen: () => 'GRANT order_group TO order_member' },
  // An inner table's owner sees past its policies, and passes that on by a function of his.
  { name: 'function_owner_bypass', by: 'poll',
    setup: (k) => [...inner(k, `ALTER TABLE ord.${k.name}_inner ENABLE ROW LEVEL SECURITY`), isLookedUp(k, 'SECURITY DEFINER'), `ALTER FUNCTION ${shows(k)} OWNER TO order_weak`,
      ...withPolicies(k, policy(k, 'p', `${shows(k)}(owner)`)), 'ALTER ROLE order_weak BYPASSRLS'],
    tighten: () => 'ALTER ROLE order_weak NOBYPASSRLS', loosen: () => 'ALTER ROLE order_weak BYPASSRLS' },
];

function swap(k) {
  return ['body TO spare', 'title TO body', 'spare TO title'].map((to) => `ALTER TABLE ${table(k)} RENAME ${to}`).join('; ');
}

export const ROLES = ['anon', 'authenticated', 'service_role', 'order_owner', 'order_bypass', 'order_member', 'order_weak', 'order_plain'];

// Once per cluster, besides the roles that every application has.
export const ROLES_SQL = `CREATE ROLE order_owner NOINHERIT; CREATE ROLE order_bypass BYPASSRLS; CREATE ROLE order_group; CREATE ROLE order_member INHERIT IN ROLE order_group;
CREATE ROLE order_weak; CREATE ROLE order_plain; GRANT order_owner, order_bypass, order_member, order_weak, order_plain TO rowcast_authenticator;`;

const COMMON_SQL = `CREATE SCHEMA auth; CREATE SCHEMA ord; CREATE SCHEMA ord_shut; CREATE SCHEMA ord_usage;
GRANT USAGE ON SCHEMA auth, ord, ord_shut, ord_usage TO ${ROLES.join(', ')};
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT (NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE TABLE ord.mark (n int PRIMARY KEY); GRANT SELECT ON ord.mark TO ${ROLES.join(', ')};`;

export const kinds = KINDS.map((frame) => {
  const k = { role: 'authenticated', schema: 'ord', ...frame };
  return {
    ...k, tighten: frame.tighten(k), loosen: frame.loosen(k),
    insert: (id) => `INSERT INTO ${k.schema}.${k.name} (id, owner, body) VALUES (${id}, '${OTHER}', 'needle')`,
    setup: [`CREATE TABLE ${k.schema}.${k.name} (id int PRIMARY KEY, owner uuid, body text)`, `GRANT SELECT ON ${k.schema}.${k.name} TO ${k.role}`, ...frame.setup(k)].join('; '),
  };
});

export const schemaSql = [COMMON_SQL, ...kinds.map((k) => k.setup),
  `CREATE PUBLICATION supabase_realtime FOR TABLE ord.mark, ${kinds.map((k) => `${k.schema}.${k.name}`).join(', ')}`,
  `CREATE PUBLICATION rowcast_access FOR TABLE ${kinds.filter((k) => k.setup.includes('_inner ')).map((k) => `ord.${k.name}_inner`).join(', ')}, ord_shut.function_path_inner`].join(';\n');
