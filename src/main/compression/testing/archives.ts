import {readFileSync} from 'node:fs';

const folder = new URL('../../../../test/fixtures/compression/', import.meta.url);

/** A file of the fixtures. */
export const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

/** Names of the fixtures that hold the pattern and are supported. */
export const archives = [
	'pattern.gz',
	'pattern.zst',
	'pattern.xz',
	'pattern.lz4',
	'pattern-linked.lz4',
	'pattern-legacy.lz4',
] as const;
