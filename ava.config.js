import {availableParallelism} from 'node:os';
import {join} from 'node:path';

/** The files that take longest start first: one that starts last would leave the other processors idle. */
const longest = [
	'test/processor/silicon.test.ts',
	'test/processor/hostile-flows.test.ts',
	'test/processor/processor-fuzz.test.ts',
	'test/processor/races.test.ts',
	'src/devices/testing/conformance.test.ts',
	'src/main/cli/build-image.test.ts',
].map((file) => join(import.meta.dirname, file));
const isLong = (file) => (longest.includes(file) ? 0 : 1);

/** How AVA runs the unit tests, each file in a process of its own. */
export default {
	extensions: ['ts', 'js'],
	workerThreads: false,
	files: ['src/**/*.test.ts', 'test/**/*.test.ts', 'flowey/**/*.test.ts', '!**/*.kvm.test.ts', '!test/guests/**'],
	sortTestFiles: (one, other) => isLong(one) - isLong(other),
	// Some of them wait.
	concurrency: availableParallelism() + 1,
	timeout: '15m',
	// Hundreds of modules are loaded for each file: the later ones find compiled what the earlier have loaded.
	environmentVariables: {NODE_COMPILE_CACHE: join(import.meta.dirname, '.build/compile-cache')},
};
