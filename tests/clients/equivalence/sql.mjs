// Names and values as SQL.
export const q = (name) => `"${name.replaceAll('"', '""')}"`;
export const lit = (value) => (value === null ? 'NULL' : `'${String(value).replaceAll("'", "''")}'`);
export const uuid = (kind, n) => `00000000-0000-4000-8000-${kind}${String(n).padStart(11, '0')}`;
