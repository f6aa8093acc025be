// Work in Postgres as one user: the same SET LOCAL ROLE and claims that the gateway judges with, so that
// row level security decides about every read and write.

export async function asRole(pool, role, claims, work) {
  const connection = await pool.connect();
  try {
    await connection.query('BEGIN');
    await connection.query("SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
      [role, JSON.stringify({ ...claims, role })]);
    const result = await work(connection);
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    connection.release();
  }
}

export const asUser = (pool, userId, work) => asRole(pool, 'authenticated', { sub: userId }, work);
