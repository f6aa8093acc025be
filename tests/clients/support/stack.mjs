// The running gateway under test, as the environment names it.
import pg from 'pg';

import { asRole, asUser } from '../../../db/demo/as_user.mjs';
import { roleToken, seedUserId, userToken } from '../../../db/demo/token.mjs';

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run.mjs starts everything and sets it`);
  return value;
}

export const gatewayUrl = need('GATEWAY_URL');
export const secret = need('JWT_SECRET');
export const socketUrl = `${gatewayUrl.replace(/^http/, 'ws')}/realtime/v1/websocket`;

// As the gateway shows them: int8 and numeric as numbers (the ids here are small).
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);
export const pool = new pg.Pool({ connectionString: need('DATABASE_URL'), max: 4 });

export const anonKey = roleToken('anon', secret);
export const tokenOf = (n, more) => userToken(seedUserId(n), secret, more);
export const idOf = seedUserId;

export const as = (n, work) => asUser(pool, seedUserId(n), work);
export const asAnon = (work) => asRole(pool, 'anon', {}, work);
export const asService = (work) => asRole(pool, 'service_role', {}, work);

// One statement as nobody in particular: the superuser of DATABASE_URL, in a transaction of its own.
export async function sql(text, values) {
  return (await pool.query(text, values)).rows;
}

export async function transaction(work) {
  const connection = await pool.connect();
  try {
    await connection.query('BEGIN');
    const result = await work(connection);
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK');
    throw error;
  } finally {
    connection.release();
  }
}
