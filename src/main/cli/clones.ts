import {readFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {checkConfig, checkProcessConfig, type ProcessConfig, terminalUsers, type VmConfig} from '#main/config';
import type {Vm} from '#main/vm';
import type {WorkerStock} from '#main/workers';
import {isVmmError} from '#support/errors';
import {describeMachine} from './describe-machine.ts';
import {cliError} from './errors.ts';
import {exitStatuses} from './exit-status.ts';
import type {Logger} from './logger.ts';
import {type OpenControl, openControl, openEntry} from './open-control.ts';
import {openLog} from './open-log.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';
import {ProgressLine} from './progress-line.ts';
import {haltedForGood, logNotices, reportError} from './report.ts';
import type {Restoring} from './restore.ts';
import {endStatus} from './run.ts';
import {watchSignals} from './signals.ts';
import {type StartedMachine, startMachine} from './start-machine.ts';
import {stopMachines} from './stop-machines.ts';
import type {RunConfig} from './to-config.ts';

/** One of the machines, by its number. */
interface Clone extends StartedMachine {
	readonly number: number;
	readonly vm: VmConfig;
	readonly process: ProcessConfig;
}

/** Stands for the number of a clone in the values of its flags. */
const placeholder = /%n/g;

/**
 * The flags of one of several clones: `%n` in a value is its number, and COM1 goes nowhere unless it is said.
 * @param hasCom1 - there is one in the snapshot
 */
export function flagsOfClone(flags: FlagValues<string>, number: number, hasCom1: boolean): FlagValues<string> {
	const numbered = (text: string) => text.replace(placeholder, String(number));
	const all: FlagValues<string>['all'] = (name) => {
		const given = flags.all(name).map(numbered);
		return name === 'com1' && given.length === 0 && hasCom1 ? ['file=/dev/null'] : given;
	};
	return {has: (name) => all(name).length > 0 || flags.has(name), last: (name) => all(name).at(-1), all};
}

/**
 * Runs several machines from one snapshot, each on its own, until all have ended or a signal comes.
 * @returns 0 when all ended well, else the status of the first that did not
 */
export async function runClones(
	restoring: Restoring,
	flags: FlagValues,
	count: number,
	stock: WorkerStock,
): Promise<number> {
	const hasCom1 = restoring.saved.hasDevice('com1');
	const configs: RunConfig[] = [];
	for (let number = 0; number < count; number++)
		configs.push(await restoring.configure(flagsOfClone(flags, number, hasCom1)));
	const [first] = configs as [RunConfig];
	if (terminalUsers(first.vm).length > 0)
		throw cliError('CLI_FLAGS_CONFLICT', {first: '--clones', second: 'a port on the console'});
	const [problem] = configs.flatMap(({vm, process}) => [...checkConfig(vm), ...checkProcessConfig(process)]);
	if (problem !== undefined) throw problem;
	const log = await openLog(first.process);
	const controls: OpenControl[] = [];
	const giveBack = () => {
		for (const control of controls.splice(0)) control.close();
	};
	const signals = watchSignals(giveBack);
	stock.warm(Math.min(count * first.vm.processors.count, maxWarm));
	const clones: Clone[] = [];
	const failed = (error: unknown) => void reportError(error, log);
	const line = new ProgressLine();
	const {ending} = signals;
	try {
		const [memoryBefore, startedAt] = [ownMemory(), performance.now()];
		const create = async ({vm, process}: RunConfig, number: number) => {
			const own = log.child({clone: number});
			const told = {stuck: () => own.warn(haltedForGood), deviceNoticed: logNotices(own), signal: ending};
			try {
				const started = await startMachine({vm, process}, {stock, ...restoring.begin, ...told}, own);
				clones.push({...started, number, vm, process});
				line.update('starts the clones', clones.length, count);
			} catch (error) {
				if (!isVmmError(error, 'OPERATION_ABORTED')) throw error;
			}
		};
		line.update('starts the clones', 0, count);
		await inParallel(configs, availableParallelism(), create).finally(() => line.clear());
		const spent = (performance.now() - startedAt) / count;
		const taken = (ownMemory() - memoryBefore) / count / 2 ** 20;
		// Whoever sees a control socket may send signals.
		signals.follow(allOf(clones), failed);
		for (const {machine, vm, process: config} of clones) {
			const entry = await openEntry(config, log, {about: describeMachine(vm)});
			controls.push({close: () => entry?.end(exitStatuses.ok.status)});
			controls.push(await openControl(machine, config, entry, log, () => void machine.stop()));
		}
		const figures = `${spent.toFixed(1)} ms and ${taken.toFixed(1)} MiB each`;
		if (!ending.aborted)
			print(2, `openvmm: ${count} clones of ${restoring.begin.snapshot.directory} run: ${figures}\n`);
		const ended = Promise.all(clones.map(async ({machine, number}) => endOf(number, await machine.ended, log)));
		const statuses = await Promise.race([ended, signals.first.then((status) => [status])]);
		return statuses.find((status) => status !== 0) ?? 0;
	} catch (error) {
		return reportError(error, log);
	} finally {
		giveBack();
		await stopMachines(
			clones.map(({machine}) => machine),
			giveBack,
		);
		await Promise.all(clones.map(({watchersLeft}) => watchersLeft));
		signals.close();
	}
}

/** Does to all what is asked for, but for those that have ended. */
function allOf(clones: readonly Clone[]): Pick<Vm, 'pause' | 'resume' | 'reset'> {
	const each = (action: (machine: Vm) => Promise<void>) => async () => {
		const left = clones.filter(({machine}) => machine.state !== 'stopped');
		await Promise.all(left.map(({machine}) => action(machine)));
	};
	return {
		pause: each((machine) => machine.pause()),
		resume: each((machine) => machine.resume()),
		reset: each((machine) => machine.reset()),
	};
}

/** Threads that are started ahead: more would only stand in each other's way. */
const maxWarm = 16;

function endOf(number: number, end: Awaited<Vm['ended']>, log: Logger): number {
	log.info({clone: number, end}, 'Machine ends');
	if (end.kind === 'crash' || end.kind === 'error') print(2, `openvmm: clone ${number}:\n`);
	return endStatus(end, log);
}

/** Does all, so many at a time. After a failure none is begun any more; those under way come to their end before it is thrown. */
async function inParallel<T>(
	items: readonly T[],
	most: number,
	action: (item: T, index: number) => Promise<void>,
): Promise<void> {
	let next = 0;
	const worker = async () => {
		try {
			while (next < items.length) {
				const index = next++;
				await action(items[index] as T, index);
			}
		} catch (error) {
			next = items.length;
			throw error;
		}
	};
	const results = await Promise.allSettled(Array.from({length: most}, worker));
	for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Counts the host memory that this process alone takes, in bytes: pages shared with others count in part (proc(5), Pss). */
function ownMemory(): number {
	const [, kib] = /^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? [];
	return Number(kib ?? 0) * 1024;
}
