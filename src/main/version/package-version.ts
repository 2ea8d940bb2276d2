import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';

/** The package's version, from the `package.json` above this file: sources and bundle lie at different depths. */
export function packageVersion(): string {
	let directory = import.meta.dirname;
	for (;;) {
		const {name, version} = readManifest(join(directory, 'package.json'));
		if (name === 'openvmm' || dirname(directory) === directory) return version ?? 'unknown';
		directory = dirname(directory);
	}
}

function readManifest(path: string): {name?: string; version?: string} {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch {
		return {};
	}
}
