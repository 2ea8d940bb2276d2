/** What `npm test` runs. */

import {rmSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {IncubatorError, missingHostPackages, startIncubator} from '#test/incubator';
import {type Command, execute, FloweyError, PATHS, runNode} from '../core/index.ts';
import {bundleKvmTests, type KvmTestBundles} from '../nodes/bundle-kvm-tests.ts';
import {canInstallPackages} from '../nodes/install-qemu.ts';
import {prepareIncubator} from '../nodes/prepare-incubator.ts';
import {AVA_ARGV, launchHere, runAva} from '../tests/ava.ts';
import {detectHostKvm, type HostKvm} from '../tests/host-kvm.ts';
import {formatResults, type SuiteResult} from '../tests/suite.ts';

const SUITES = ['check', 'unit', 'kvm'] as const;
type SuiteName = (typeof SUITES)[number];

/**
 * Nested virtualization under emulation is not reliable (guide, status page). So a few test files at a time share an
 * incubator, and only these start again when it dies.
 */
const INCUBATOR_FILES = 6;
const INCUBATOR_ATTEMPTS = 3;

/** That many files take some five minutes. */
const INCUBATOR_LIMIT_MS = 20 * 60_000;

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false';

/** All tests, wherever this machine can run them. */
export const testCommand: Command = {
	name: 'test',
	usage: '[--only check|unit|kvm] [--match TEXT]',
	summary: 'Check the sources, run unit tests here, run KVM tests on the host KVM, in the incubator, or on both',
	async run(words) {
		const {values} = parseArgs({
			args: [...words],
			options: {only: {type: 'string', multiple: true}, match: {type: 'string', default: ''}},
		});
		const wanted = new Set<string>(values.only ?? SUITES);
		const started = performance.now();
		const results: SuiteResult[] = [];
		const suites: Record<SuiteName, () => Promise<SuiteResult[]>> = {
			check: checkSuite,
			unit: unitSuite,
			kvm: () => kvmSuites(values.match),
		};
		for (const name of SUITES.filter((suite) => wanted.has(suite))) {
			results.push(...(await suites[name]()));
		}
		const minutes = ((performance.now() - started) / 60_000).toFixed(1);
		process.stdout.write(`\nTests took ${minutes} minutes.\n\n${formatResults(results)}`);
		return results.every(({failed}) => failed === 0) ? 0 : 1;
	},
};

async function checkSuite(): Promise<SuiteResult[]> {
	heading('check');
	const print = (chunk: Buffer) => process.stdout.write(chunk);
	const {status} = await execute('npm', ['run', '--silent', 'check'], {
		cwd: PATHS.repo,
		onStdout: print,
		onStderr: print,
	});
	const isGood = status === 0;
	const why = isGood ? '' : 'npm run check';
	return [{suite: 'check', where: 'host', passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: 0, why}];
}

async function unitSuite(): Promise<SuiteResult[]> {
	heading('unit');
	return [await runAva({suite: 'unit', where: 'host', argv: AVA_ARGV, isVerbose: false, launch: launchHere})];
}

async function kvmSuites(match: string): Promise<SuiteResult[]> {
	heading('kvm');
	const bundles = await runNode(bundleKvmTests, {match});
	try {
		if (bundles.files.length === 0) {
			throw new FloweyError(`No KVM test has "${match}" in its path`, 'They are the files named *.kvm.test.ts.');
		}
		return await runKvmSuites(bundles);
	} finally {
		rmSync(bundles.folder, {recursive: true, force: true});
	}
}

async function runKvmSuites(bundles: KvmTestBundles): Promise<SuiteResult[]> {
	const hostKvm = detectHostKvm();
	const results: SuiteResult[] = [];
	if (hostKvm.kind !== 'none') {
		results.push(await kvmHere(bundles, hostKvm));
	}
	if (hostKvm.kind !== 'native') {
		results.push(...(await kvmInIncubators(bundles)));
	}
	return results;
}

/** KVM that emulates supervisor code does not boot stock kernels: those tests run in the incubator only. */
function kvmHere({files, avaArgv}: KvmTestBundles, hostKvm: HostKvm): Promise<SuiteResult> {
	const able = hostKvm.kind === 'pvm' ? files.filter((file) => !file.includes('/test.vmm.')) : files;
	return runAva({
		suite: 'kvm',
		where: `host KVM (${hostKvm.kind})`,
		argv: [...avaArgv, ...able],
		isVerbose: true,
		launch: launchHere,
	});
}

async function kvmInIncubators({files, avaArgv}: KvmTestBundles): Promise<SuiteResult[]> {
	const obstacle = await incubatorObstacle();
	if (obstacle !== undefined) {
		return [skippedSuite('kvm', files.length, obstacle)];
	}
	const results: SuiteResult[] = [];
	const count = Math.ceil(files.length / INCUBATOR_FILES);
	for (let index = 1; index <= count; index++) {
		// Dealt out like cards: those that boot Linux stand together in the list.
		const share = files.filter((_, place) => place % count === index - 1);
		results.push(await untilItLives(`incubator ${index}/${count}`, share, avaArgv));
	}
	return results;
}

async function untilItLives(where: string, files: readonly string[], avaArgv: readonly string[]): Promise<SuiteResult> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await runInIncubator(where, files, avaArgv);
		} catch (error) {
			// The emulated machine stood still or its kernel died: these tests have no result yet, and all of them run again.
			if (!(error instanceof IncubatorError)) {
				throw error;
			}
			process.stdout.write(`${error.message}\n`);
			if (attempt === INCUBATOR_ATTEMPTS) {
				const why = `the incubator died ${attempt} times`;
				return {suite: 'kvm', where, passed: 0, failed: files.length, skipped: 0, why};
			}
			process.stdout.write('These tests start again in a new incubator.\n');
		}
	}
}

async function runInIncubator(
	where: string,
	files: readonly string[],
	avaArgv: readonly string[],
): Promise<SuiteResult> {
	await using incubator = await startIncubator();
	process.stdout.write(`${where} up (${(incubator.bootMs / 1000).toFixed(1)} s)\n`);
	return await runAva({
		suite: 'kvm',
		where,
		argv: [...avaArgv, ...files, '--concurrency', '2'],
		isVerbose: true,
		launch: (argv, onStdout, onStderr) =>
			incubator.run(argv, {onStdout, onStderr, timeoutMs: INCUBATOR_LIMIT_MS, env: {CI: process.env['CI'] ?? ''}}),
	});
}

/** Returns why the incubator cannot run, if so. */
async function incubatorObstacle(): Promise<string | undefined> {
	try {
		await runNode(prepareIncubator, {mayInstall: isCi});
		return undefined;
	} catch (error) {
		const remedy = error instanceof FloweyError ? `; ${error.remedy}` : '';
		return `${error instanceof Error ? error.message : String(error)}${remedy}`;
	}
}

/** A suite that could have run on this machine must not go missing unnoticed where nobody watches. */
function skippedSuite(suite: string, files: number, why: string): SuiteResult {
	const couldRun = missingHostPackages().length === 0 || canInstallPackages();
	const counts = isCi && couldRun ? {failed: Math.max(files, 1), skipped: 0} : {failed: 0, skipped: files};
	return {suite, where: 'nowhere', passed: 0, ...counts, why};
}

function heading(name: string): void {
	process.stdout.write(`\n== ${name}\n`);
}
