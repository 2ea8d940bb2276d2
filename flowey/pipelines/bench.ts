/** Measurements. Each bench prints its own report; the raw numbers are kept. */

import {globSync, mkdirSync, rmSync} from 'node:fs';
import {basename, join} from 'node:path';
import {parseArgs} from 'node:util';
import {startIncubator} from '#test/incubator';
import {type Command, execute, PATHS, runNode, WordsError} from '../core/index.ts';
import {bundleFolder, bundleTests} from '../nodes/bundle-tests.ts';
import {prepareIncubator} from '../nodes/prepare-incubator.ts';
import {restoreBenchLibraries} from '../nodes/restore-bench-libraries.ts';
import {restoreKernels} from '../nodes/restore-kernels.ts';
import {restoreRuntimes} from '../nodes/restore-runtimes.ts';
import {restoreUserLand} from '../nodes/restore-user-land.ts';
import {detectHostKvm} from '../tests/host-kvm.ts';
import {buildPackage} from './build.ts';

const RESULT_FOLDER = join(PATHS.build, 'bench');
const BENCH_LIMIT_MS = 30 * 60_000;

/** What benches boot that few others do, by their names. */
const needs: Readonly<Record<string, () => Promise<void>>> = {
	'software-user-work': () => runNode(restoreBenchLibraries, undefined),
	'software-disks': () => runNode(restoreUserLand, undefined),
	'software-folders': () => runNode(restoreKernels, {refresh: false}),
	'software-systemd': () => runNode(restoreUserLand, undefined),
	'software-runtimes': () => runNode(restoreRuntimes, undefined),
};

interface Bench {
	readonly name: string;
	readonly file: string;
	readonly env: Readonly<Record<string, string>>;
	/** Needs no KVM, and would measure the emulator in the incubator. */
	readonly isForHost: boolean;
}

type RunBench = (bench: Bench) => Promise<{readonly status: number}>;

/**
 * Runs `test/bench/*.bench.ts`; a bench writes its raw numbers as JSON to the path in OPENVMM_BENCH_OUTPUT. Where the
 * host has no KVM they run in the incubator, but for `*.host.bench.ts`, which need none.
 */
export const benchCommand: Command = {
	name: 'bench',
	usage: '[--match TEXT]',
	summary: 'Measure, on the host KVM or else in the incubator; raw numbers are kept in .build/bench/',
	async run(words) {
		const {values} = parseArgs({args: [...words], options: {match: {type: 'string', default: ''}}});
		const sources = globSync('test/bench/*.bench.ts', {cwd: PATHS.repo})
			.filter((path) => basename(path).includes(values.match))
			.sort();
		if (sources.length === 0) {
			throw new WordsError(`No bench has "${values.match}" in its name`, 'They are the files test/bench/*.bench.ts.');
		}
		for (const [name, restore] of Object.entries(needs))
			if (sources.some((path) => basename(path).startsWith(name))) await restore();
		// Many measure the command as users have it.
		await buildPackage();
		mkdirSync(RESULT_FOLDER, {recursive: true});
		const folder = bundleFolder('bench-programs');
		const files = await bundleTests(sources, folder);
		const benches = sources.map((source, index): Bench => {
			const name = basename(source, '.bench.ts');
			const env = {OPENVMM_BENCH_OUTPUT: join(RESULT_FOLDER, `${name}.json`)};
			return {name, file: files[index] ?? '', env, isForHost: name.endsWith('.host')};
		});
		try {
			return await (detectHostKvm().kind === 'none' ? runSomeInside(benches) : runAll(benches, runHere));
		} finally {
			rmSync(folder, {recursive: true, force: true});
		}
	},
};

async function runAll(benches: readonly Bench[], runBench: RunBench): Promise<number> {
	const failed: string[] = [];
	// One after the other: they would disturb each other's numbers.
	for (const bench of benches) {
		process.stdout.write(`\n== ${bench.name}\n`);
		if ((await runBench(bench)).status !== 0) {
			failed.push(bench.name);
		}
	}
	process.stdout.write(failed.length === 0 ? '' : `\nfailed: ${failed.join(', ')}\n`);
	return failed.length === 0 ? 0 : 1;
}

const print = (chunk: Uint8Array) => process.stdout.write(chunk);
const printError = (chunk: Uint8Array) => process.stderr.write(chunk);

const runHere: RunBench = ({file, env}) =>
	execute(process.execPath, [file], {
		cwd: PATHS.repo,
		env: {...process.env, ...env},
		onStdout: print,
		onStderr: printError,
	});

async function runSomeInside(benches: readonly Bench[]): Promise<number> {
	const here = await runAll(
		benches.filter(({isForHost}) => isForHost),
		runHere,
	);
	const others = benches.filter(({isForHost}) => !isForHost);
	return others.length === 0 ? here : Math.max(here, await runInside(others));
}

async function runInside(benches: readonly Bench[]): Promise<number> {
	await runNode(prepareIncubator, {mayInstall: false});
	await using incubator = await startIncubator();
	process.stdout.write('This machine has no KVM: the numbers below come from the incubator, where all is emulated.\n');
	return await runAll(benches, ({file, env}) =>
		incubator.run([process.execPath, file], {env, onStdout: print, onStderr: printError, timeoutMs: BENCH_LIMIT_MS}),
	);
}
