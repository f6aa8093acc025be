// The functions that policies of a world may call: invoker and definer, sql and plpgsql, scalar and set-returning.
// { name, sqlName, takes, returns, looks, mayAsk, sql }
import { q } from './sql.mjs';

export function functionsOf(r, world) {
  const [first] = world.tables;
  const { members, blocks, profiles } = world.byRole;
  const teamType = first.keyTypes[0];
  const col = (table, logical) => q(table.names[logical]);
  const raw = (...tables) => tables.map((t) => ({ table: t.name, raw: true }));
  const asCaller = (...tables) => tables.map((t) => ({ table: t.name, raw: false }));
  const inSchema = `SET search_path = ${q(world.schema)}, pg_temp`;
  const out = [];
  const add = (name, takes, returns, looks, body, more = {}) => {
    const sqlName = `${q(world.schema)}.${q(name)}`;
    const types = { uid: 'uuid', team: teamType, owner: 'uuid' };
    const args = takes.map((kind) => `p_${kind} ${types[kind]}`).join(', ');
    const gives = { boolean: 'boolean', teams: `SETOF ${teamType}`, uuid: 'uuid' }[returns];
    out.push({ name, sqlName, takes, returns, looks, mayAsk: more.mayAsk ?? false, sql: `CREATE FUNCTION ${sqlName}(${args}) RETURNS ${gives} ${body}` });
  };
  const owns = `EXISTS (SELECT 1 FROM ${first.sql} t WHERE t.${col(first, 'team')} = p_team AND t.${col(first, 'owner')} = p_uid`;
  const joins = `SELECT 1 FROM ${members.sql} m WHERE m.${col(members, 'team')} = p_team AND m.${col(members, 'who')} = p_uid`;
  const mine = `SELECT m.${col(members, 'team')} FROM ${members.sql} m WHERE m.${col(members, 'who')} = auth.uid()`;

  add('has_access', ['uid', 'team'], 'boolean', raw(first, members),
    `LANGUAGE plpgsql STABLE SECURITY DEFINER ${inSchema} AS $$ BEGIN RETURN ${owns} UNION ${joins}); END $$`);
  add('has_edit_access', ['uid', 'team'], 'boolean', raw(first, members),
    `LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN ${owns}) OR EXISTS (${joins} AND m.${col(members, 'role')} IN ('editor', 'admin')); END; $$`);
  add('is_member', ['team'], 'boolean', raw(members),
    `LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ SELECT EXISTS (SELECT FROM ${members.sql} m WHERE m.${col(members, 'team')} = p_team AND m.${col(members, 'who')} = auth.uid()) $$`);
  add('is_member_seen', ['team'], 'boolean', asCaller(members),
    `LANGUAGE sql STABLE ${r.chance(0.5) ? inSchema : ''} AS $$ SELECT EXISTS (SELECT 1 FROM ${members.sql} WHERE ${col(members, 'team')} = $1 AND ${col(members, 'who')} = (SELECT auth.uid())) $$`);
  add('is_owner_seen', ['uid', 'team'], 'boolean', asCaller(first), `LANGUAGE sql STABLE AS $$ SELECT ${owns}) $$`);
  add('my_teams', [], 'teams', raw(members), `LANGUAGE sql STABLE SECURITY DEFINER ${inSchema} AS $$ ${mine} $$`);
  add('my_teams_seen', [], 'teams', asCaller(members), `LANGUAGE sql STABLE AS $$ ${mine} $$`);
  add('teams_of', ['uid'], 'teams', raw(first, members),
    `LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT ${col(first, 'team')} FROM ${first.sql} WHERE ${col(first, 'owner')} = p_uid UNION SELECT ${col(members, 'team')} FROM ${members.sql} WHERE ${col(members, 'who')} = p_uid $$`);
  add('is_admin', [], 'boolean', [],
    `LANGUAGE sql STABLE AS $$ SELECT COALESCE(NULLIF(auth.jwt() -> 'app_metadata' ->> 'is_admin', ''), NULLIF(auth.jwt() ->> 'is_admin', '')) = 'true' $$`);
  add('is_staff', [], 'boolean', raw(profiles),
    `LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ SELECT EXISTS (SELECT 1 FROM ${profiles.sql} p WHERE p.${col(profiles, 'id')} = auth.uid() AND p.${col(profiles, 'isAdmin')}) $$`);
  add('is_blocked', ['owner'], 'boolean', raw(blocks),
    `LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN EXISTS (SELECT 1 FROM ${blocks.sql} b WHERE b.${col(blocks, 'blocker')} = p_owner AND b.${col(blocks, 'blocked')} = auth.uid()); END $$`);
  add('me', [], 'uuid', [], 'LANGUAGE sql STABLE RETURN (auth.jwt() ->> \'sub\')::uuid');
  add('guarded', ['team'], 'boolean', raw(members),
    `LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN IF p_team IS NULL OR auth.uid() IS NULL THEN RETURN false; END IF; RETURN EXISTS (SELECT 1 FROM ${members.sql} m WHERE m.${col(members, 'team')} = p_team AND m.${col(members, 'who')} = auth.uid()); END $$`);
  add('strictly', ['team', 'uid'], 'boolean', raw(members),
    `LANGUAGE sql STABLE STRICT SECURITY DEFINER AS $$ SELECT NOT EXISTS (SELECT 1 FROM ${members.sql} m WHERE m.${col(members, 'team')} = p_team AND m.${col(members, 'who')} = p_uid) $$`);
  add('level_of', ['owner'], 'boolean', raw(profiles),
    `LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT p.${col(profiles, 'org')} = (auth.jwt() ->> 'org_id')::uuid FROM ${profiles.sql} p WHERE p.${col(profiles, 'id')} = p_owner $$`);
  add('by_loop', ['team'], 'boolean', raw(members),
    `LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM ${members.sql} m WHERE m.${col(members, 'team')} = p_team AND m.${col(members, 'who')} = auth.uid(); RETURN n > 0; END $$`, { mayAsk: true });
  return out;
}
