/** Runs `npm test`. */

import {rmSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {isVmmError} from '#support/errors';
import {findProgram, IncubatorError, missingHostPackages, startIncubator} from '#test/incubator';
import {type Command, execute, FloweyError, PATHS, runNode, WordsError} from '../core/index.ts';
import {bundleMachineTests, type MachineTestBundles} from '../nodes/bundle-machine-tests.ts';
import {bundleUnitTests} from '../nodes/bundle-unit-tests.ts';
import {restoreCompilers} from '../nodes/guest-agent.ts';
import {canInstallPackages} from '../nodes/install-qemu.ts';
import {prepareIncubator} from '../nodes/prepare-incubator.ts';
import {restoreGuestTools} from '../nodes/restore-guest-tools.ts';
import {restoreKernels} from '../nodes/restore-kernels.ts';
import {restorePackages} from '../nodes/restore-packages.ts';
import {restoreRegistry} from '../nodes/restore-registry.ts';
import {restoreRuntimes} from '../nodes/restore-runtimes.ts';
import {restoreUserLand} from '../nodes/restore-user-land.ts';
import {launchHere, runAva} from '../tests/ava.ts';
import {
	bootsUserLand,
	builtTestName,
	everyRun,
	needsGuestTools,
	needsHardwareKernels,
	needsRuntimes,
} from '../tests/every-run.ts';
import {type FragileMachine, MAX_NOT_RUN, runOnFragileMachines} from '../tests/fragile-machines.ts';
import {detectHostKvm} from '../tests/host-kvm.ts';
import {formatResults, mergeResults, type SuiteResult} from '../tests/suite.ts';
import {buildPackage} from './build.ts';

const SUITES = ['check', 'unit', 'machines', 'kvm'] as const;
type SuiteName = (typeof SUITES)[number];

/** One file takes some three minutes at most. */
const FILE_LIMIT_MS = 15 * 60_000;

/** A process's death is among the last words of the kernel, with its instruction and address. */
const KERNEL_LOG_LINES = 20;

/** Side by side: an incubator has two processors. */
const INCUBATOR_FILES = 2;

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false';

/** All tests, wherever this machine can run them. */
export const testCommand: Command = {
	name: 'test',
	usage: '[--all] [--only check|unit|machines|kvm] [--match TEXT]',
	summary:
		'Check the sources, run unit tests and tests of machines on the software processor here, and KVM tests on the host KVM; where KVM is emulated, those about KVM itself; with --all also what takes long',
	async run(words) {
		const {values} = parseArgs({
			args: [...words],
			options: {
				all: {type: 'boolean', default: false},
				only: {type: 'string', multiple: true},
				match: {type: 'string', default: ''},
			},
		});
		const wanted = new Set<string>(values.only ?? SUITES);
		const unknown = [...wanted].find((name) => !SUITES.some((suite) => suite === name));
		if (unknown !== undefined) throw new WordsError(`There is no suite ${unknown}`, `They are ${SUITES.join(', ')}.`);
		const started = performance.now();
		const results: SuiteResult[] = [];
		const suites: Record<SuiteName, () => Promise<SuiteResult[]>> = {
			check: checkSuite,
			unit: unitSuite,
			machines: () => machineSuites(values.match, values.all || values.match !== ''),
			kvm: () => kvmSuites(values.match, values.all || values.match !== ''),
		};
		// Tests of the command line run what users run, and modules of devices of one's own import it.
		if (SUITES.some((suite) => suite !== 'check' && wanted.has(suite))) await buildPackage();
		for (const name of SUITES.filter((suite) => wanted.has(suite))) {
			results.push(...(await suites[name]()));
		}
		if (results.length === 0) throw noTest(values.match);
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
	await restoreFor('a real registry of images', () => runNode(restoreRegistry, undefined));
	await restoreFor("the guest agent's binaries", () => runNode(restoreCompilers, undefined));
	const {folder, avaArgv: argv} = await runNode(bundleUnitTests, undefined);
	try {
		return [await runAva({suite: 'unit', where: 'host', argv, isVerbose: false, launch: launchHere})];
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

/** @param all - run what takes long too */
async function machineSuites(match: string, all: boolean): Promise<SuiteResult[]> {
	heading('machines');
	const {folder, files, avaArgv} = await runNode(bundleMachineTests, {match, on: 'software'});
	try {
		const {now, later} = all ? {now: files, later: []} : everyRun('software', files);
		if (now.length === 0) return [];
		await restoreImagesOf(now);
		const where = 'software processor';
		const launch = launchHere;
		const result = await runAva({suite: 'machines', where, argv: [...avaArgv, ...now], isVerbose: true, launch});
		const why = 'files: npm test -- --all';
		const rest = {suite: 'machines', where: 'nowhere', passed: 0, failed: 0, skipped: later.length, why};
		return later.length > 0 ? [result, rest] : [result];
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

/** What tests boot, which are skipped without it; nobody watches a CI machine, so there that is a failure. */
async function restoreImagesOf(files: readonly string[]): Promise<void> {
	await restoreFor('stock kernels', () => runNode(restorePackages, {refresh: false}));
	// The others are large.
	if (needsHardwareKernels(files))
		await restoreFor('kernels for hardware', () => runNode(restoreKernels, {refresh: false}));
	if (bootsUserLand(files)) await restoreFor('a whole Debian', () => runNode(restoreUserLand, undefined));
	if (needsRuntimes(files)) await restoreFor('Node.js and Java', () => runNode(restoreRuntimes, undefined));
	if (needsGuestTools(files)) {
		await restoreFor('network tools and git', () => runNode(restoreGuestTools, undefined));
		await restoreFor("the host's own network tools and git", requireHostTools);
	}
}

/** Programs of the host's that those of guests talk to, and their Debian packages. */
const HOST_TOOLS = {iperf3: 'iperf3', ssh: 'openssh-client', git: 'git'} as const;

async function requireHostTools(): Promise<void> {
	const missing = Object.entries(HOST_TOOLS).filter(([name]) => findProgram(name) === undefined);
	if (missing.length === 0) return;
	const [names, packages] = [0, 1].map((at) => missing.map((each) => each[at]).join(' '));
	throw new FloweyError(`The host has no ${names}`, `Install it: sudo apt-get install ${packages}`);
}

async function restoreFor(what: string, restore: () => Promise<void>): Promise<void> {
	try {
		await restore();
	} catch (error) {
		if (isCi || !(error instanceof FloweyError || isVmmError(error))) throw error;
		process.stdout.write(`Tests of ${what} are skipped: ${error.message}\n`);
	}
}

/** @param all - run what takes long under emulation too */
async function kvmSuites(match: string, all: boolean): Promise<SuiteResult[]> {
	heading('kvm');
	const bundles = await runNode(bundleMachineTests, {match, on: 'kvm'});
	try {
		if (bundles.files.length === 0) throw noTest(match);
		return await runKvmSuites(bundles, all);
	} finally {
		rmSync(bundles.folder, {recursive: true, force: true});
	}
}

async function runKvmSuites(bundles: MachineTestBundles, all: boolean): Promise<SuiteResult[]> {
	const hostKvm = detectHostKvm();
	if (hostKvm.kind === 'native') return kvmHere(bundles, all);
	if (hostKvm.kind === 'pvm')
		process.stdout.write(
			'KVM is kvm_pvm here, which answers CPUID as its host does and knows no single steps: its tests run in the incubator.\n',
		);
	return kvmInIncubators(bundles, all);
}

async function kvmHere({files, avaArgv}: MachineTestBundles, all: boolean): Promise<SuiteResult[]> {
	await restoreImagesOf(all ? files : []);
	const argv = [...avaArgv, ...files];
	return [await runAva({suite: 'kvm', where: 'host KVM', argv, isVerbose: true, launch: launchHere})];
}

async function kvmInIncubators({files, avaArgv}: MachineTestBundles, all: boolean): Promise<SuiteResult[]> {
	const obstacle = await incubatorObstacle();
	if (obstacle !== undefined) return [skippedSuite('kvm', files.length, obstacle)];
	const {now, later} = all ? {now: files, later: []} : everyRun('emulatedKvm', files);
	await restoreImagesOf(now);
	const {results, notRun} = await runOnFragileMachines<SuiteResult>({
		files: now,
		concurrency: INCUBATOR_FILES,
		start: () => startTestIncubator(avaArgv),
		isDeath: (error) => error instanceof IncubatorError,
		doubt: ({crash}) =>
			crash === undefined ? undefined : `A test's process died of ${crash}; the emulator may have done it.`,
		died(error, cutOff, givenUp) {
			process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
			process.stdout.write(
				`Cut off: ${cutOff.join(', ')}.${givenUp.length > 0 ? ` Given up: ${givenUp.join(', ')}.` : ''}\n`,
			);
		},
	});
	const where = 'incubator';
	const suites = [...results, {suite: 'kvm', where, passed: 0, ...notRunCounts(notRun)}];
	const rest = {
		suite: 'kvm',
		where: 'nowhere',
		passed: 0,
		failed: 0,
		skipped: later.length,
		why: 'files: npm test -- --all',
	};
	return later.length > 0 ? [mergeResults(suites), rest] : [mergeResults(suites)];
}

async function startTestIncubator(avaArgv: readonly string[]): Promise<FragileMachine<SuiteResult>> {
	const incubator = await startIncubator();
	process.stdout.write(`incubator up (${(incubator.bootMs / 1000).toFixed(1)} s)\n`);
	return {
		[Symbol.asyncDispose]: () => incubator.close(),
		async run(file) {
			const started = performance.now();
			const label = builtTestName(file);
			const result = await runAva({
				suite: 'kvm',
				where: 'incubator',
				argv: [...avaArgv, file],
				isVerbose: true,
				label,
				launch: (argv, onStdout, onStderr) =>
					incubator.run(argv, {onStdout, onStderr, timeoutMs: FILE_LIMIT_MS, env: {CI: process.env['CI'] ?? ''}}),
			});
			process.stdout.write(`  ${label} took ${((performance.now() - started) / 1000).toFixed(0)} s\n`);
			if (result.crash === undefined) return result;
			const {stdout: kernelLog} = await incubator.run(['dmesg']);
			process.stdout.write(kernelLog.split('\n').slice(-KERNEL_LOG_LINES).join('\n'));
			return result;
		},
	};
}

/** One file without a result is the emulator's fault until it happens to more; it is named either way. */
function notRunCounts(files: readonly string[]): Pick<SuiteResult, 'failed' | 'skipped' | 'why'> {
	const isTooMany = files.length > MAX_NOT_RUN;
	const why = files.length === 0 ? '' : `not run, the incubator died: ${files.map(builtTestName).join(', ')}`;
	return {failed: isTooMany ? files.length : 0, skipped: isTooMany ? 0 : files.length, why};
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

const noTest = (match: string) =>
	new FloweyError(`No test has "${match}" in its path`, 'They are the files named *.kvm.test.ts and *.vm.test.ts.');

function heading(name: string): void {
	process.stdout.write(`\n== ${name}\n`);
}
