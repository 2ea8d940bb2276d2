import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {ExecutionContext} from 'ava';

/** Makes a working copy with these files, each by its lines: mostly what it imports. */
export function workingCopy(t: ExecutionContext, files: Readonly<Record<string, readonly string[]>>): string {
	const root = mkdtempSync(join(tmpdir(), 'openvmm-imports-'));
	t.teardown(() => rmSync(root, {recursive: true}));
	writeFileSync(join(root, 'package.json'), JSON.stringify({imports: {'#main/*': './src/main/*/index.ts'}}));
	for (const [path, lines] of Object.entries(files)) {
		mkdirSync(dirname(join(root, path)), {recursive: true});
		writeFileSync(join(root, path), lines.map((text) => `${text};\n`).join(''));
	}
	return root;
}
