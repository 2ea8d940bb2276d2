import type {Hash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {PATHS} from '../core/index.ts';

const folders = ['flowey/images', 'src/main/images', 'src/main/file-tree', 'src/main/ext4', 'src/main/debian'];

/** Covers the code that makes images of packages: with another one they are made again. */
export function hashImageCode(hash: Hash): void {
	const files = folders.flatMap((folder) =>
		readdirSync(join(PATHS.repo, folder))
			.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
			.sort()
			.map((name) => join(PATHS.repo, folder, name)),
	);
	for (const path of files) hash.update(readFileSync(path)).update('\0');
}
