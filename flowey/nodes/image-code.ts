import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {PATHS} from '../core/index.ts';

const folders = ['flowey/images', 'src/main/images', 'src/main/file-tree', 'src/main/ext4', 'src/main/debian'];

/** Names what images are made from: their packages, the code that makes images of packages, and further files. */
export function imageRecipe(packages: string | Uint8Array, further: readonly string[] = []): string {
	const hash = createHash('sha256').update(packages);
	const files = folders.flatMap((folder) =>
		readdirSync(join(PATHS.repo, folder))
			.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
			.sort()
			.map((name) => join(PATHS.repo, folder, name)),
	);
	for (const path of [...files, ...further]) hash.update(readFileSync(path)).update('\0');
	return hash.digest('hex');
}

/** True where all outputs are there and the stamp beside them has this recipe. */
export const isMadeBy = (recipe: string, stamp: string, outputs: readonly string[]): boolean =>
	[...outputs, stamp].every((path) => existsSync(path)) && readFileSync(stamp, 'utf8') === recipe;
