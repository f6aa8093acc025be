// Development tokens: HS256/384/512 by shared secret, or no signature at all (which nobody must accept).
import { createHash, createHmac } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signToken(claims, secret, alg = 'HS256') {
  const text = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;
  if (alg === 'none') return `${text}.`;
  return `${text}.${createHmac(`sha${alg.slice(2)}`, secret).update(text).digest('base64url')}`;
}

export const secondsFromNow = (seconds) => Math.floor(Date.now() / 1000) + seconds;

export function userToken(userId, secret, more = {}) {
  return signToken({ sub: userId, role: 'authenticated', exp: secondsFromNow(12 * 3600), ...more }, secret);
}

export function roleToken(role, secret) {
  return signToken({ role, exp: secondsFromNow(12 * 3600) }, secret);
}

// The id that db/seed gives to user N.
export function seedUserId(n) {
  return createHash('md5').update(`user-${n}`).digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
