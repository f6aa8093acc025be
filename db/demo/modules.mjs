// The npm packages of this repository are pinned in one place, tests/clients. What runs from elsewhere
// takes them from there: const pg = require('pg').
import { createRequire } from 'node:module';

export const require = createRequire(new URL('../../tests/clients/package.json', import.meta.url));
