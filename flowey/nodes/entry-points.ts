/** Sources that `dist/` is built from. */

import {join} from 'node:path';
import {PATHS} from '../core/index.ts';

/** A program of the package: the source it starts from, and its name in `dist/` without extension. */
export interface EntryPoint {
	readonly source: string;
	readonly name: string;
	/** A program of ours, with what it exports: it is loaded by `loadProgram`, with the code compiled that a start needs. */
	readonly exports?: readonly string[];
}

/** Programs that run in worker threads: code finds them beside its own file when it is bundled. */
export const WORKERS: readonly EntryPoint[] = [
	{name: 'vcpu-worker', source: join(PATHS.repo, 'src/vcpu-worker/entry.ts'), exports: []},
	{name: 'device-worker', source: join(PATHS.repo, 'src/main/device-worker/entry.ts'), exports: []},
	{name: 'job-worker', source: join(PATHS.repo, 'src/main/jobs/entry.ts')},
];

/** Libraries that others import, by the `exports` of package.json. */
export const LIBRARIES: readonly EntryPoint[] = [
	{name: 'index', source: join(PATHS.repo, 'src/main/index.ts')},
	{name: 'devices', source: join(PATHS.repo, 'src/devices/index.ts')},
	{name: 'testing', source: join(PATHS.repo, 'src/main/test-machine/index.ts')},
];

/** All programs in `dist/`. */
export const ENTRY_POINTS: readonly EntryPoint[] = [
	{name: 'openvmm', source: join(PATHS.repo, 'src/main/cli/program.ts'), exports: ['program']},
	...LIBRARIES,
	...WORKERS,
];
