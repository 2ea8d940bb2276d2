/** Turns sources into JavaScript, for the package and for tests that run from built code. */

import type {BuildOptions} from 'esbuild';

/** koffi is native; piscina and thread-stream find their worker files beside their own; openpgp is large, and seldom needed. */
const EXTERNAL = ['koffi', 'openpgp', 'pino', 'piscina'];

/** CommonJS dependencies call `require`, which ES modules do not have. */
const BANNER = `import {createRequire as __createRequire} from 'node:module';
const require = __createRequire(import.meta.url);`;

/** The settings that all bundles share. */
export function bundleOptions(external: readonly string[] = []): BuildOptions {
	return {
		bundle: true,
		format: 'esm',
		platform: 'node',
		target: 'node24',
		sourcemap: 'linked',
		sourcesContent: false,
		// Leaves out what V8 need not read at start-up; names stay, for stack traces.
		minifyWhitespace: true,
		minifySyntax: true,
		legalComments: 'none',
		chunkNames: 'chunk-[hash]',
		external: [...EXTERNAL, ...external],
		define: {__OPENVMM_BUNDLED__: 'true'},
		banner: {js: BANNER},
		logLevel: 'silent',
	};
}

/** The settings for a bundle that `loadProgram` runs: a function's expression, in one file, whose dynamic imports wait for their turn. */
export function programOptions(): BuildOptions {
	const shared = bundleOptions();
	return {
		...shared,
		format: 'cjs',
		charset: 'ascii',
		supported: {'dynamic-import': false},
		define: {...shared.define, 'import.meta.url': '__place.url', 'import.meta.dirname': '__place.dirname'},
		banner: {js: '(function (module, require, __place, __OPENVMM_LOADER__) {'},
		footer: {js: '})'},
	};
}
