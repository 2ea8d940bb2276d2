/** Writes configurations of AVA for bundled tests. */

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

/** Configuration of AVA, as data; the files start in their order. */
export interface AvaConfig {
	readonly files: readonly string[];
	readonly [option: string]: unknown;
}

/** Writes `config` into `folder`; returns the file's path. */
export function writeAvaConfig(folder: string, config: AvaConfig): string {
	const path = join(folder, 'ava.config.mjs');
	const text = `
const config = ${JSON.stringify(config, null, '\t')};
const place = (path) => config.files.findIndex((file) => path.endsWith(file));
export default {...config, sortTestFiles: (one, other) => place(one) - place(other)};
`;
	writeFileSync(path, text);
	return path;
}
