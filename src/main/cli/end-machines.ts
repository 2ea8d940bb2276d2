import {setTimeout as sleep} from 'node:timers/promises';
import {
	connectListed,
	controlError,
	findMachine,
	hasEnded,
	isAlive,
	isRunning,
	type ListedMachine,
	listMachines,
	removeEntry,
} from '#main/control';
import {parseNumber} from '#support/options';
import {usualStopSeconds} from './commands.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';
import {whileWaiting} from './progress-line.ts';
import {reportError} from './report.ts';

/** Time for a machine to end that is told to, before its process is killed; and for the host to take that away. */
const quitMs = 20_000;
/** Time that a process has to end in order by a signal: one that cannot be reached, or is still making its machine. */
const orderMs = 10_000;
/** Time between the end of its connections and a machine's own, in milliseconds. */
export const endingMs = 20_000;
/** Between two looks whether it has ended. */
const lookMs = 25;

/** By what a machine ended that was to be stopped: it had ended, its command did, its agent or its power button had the guest shut down, or by force. */
type StoppedBy = 'itself' | 'command' | 'agent' | 'power-button' | 'force';

/** Asks the guests to shut down, and ends those that do not in time. */
async function stop(names: readonly string[], flags: FlagValues<string>): Promise<number> {
	const time = flags.last('time');
	const seconds = time === undefined ? usualStopSeconds : parseNumber(time, '--time', 0, 86_400);
	const ends: {readonly name: string; readonly by: StoppedBy}[] = [];
	const isJson = flags.has('json');
	const stopOne = async (machine: ListedMachine) => {
		const {name} = machine;
		const waits = (timeMs: number) =>
			whileWaiting('waits for the guest to shut down', timeMs, shutDown(machine, timeMs));
		const by = isRunning(machine) ? await waits(seconds * 1000) : 'itself';
		if (by === 'force') await kill(machine);
		ends.push({name, by});
		return by === 'force' && seconds > 0 ? controlError('CONTROL_MACHINE_FORCED', {name, seconds}) : undefined;
	};
	const status = await forEach(names, stopOne, isJson ? () => {} : say);
	if (isJson) print(1, `${JSON.stringify(ends, undefined, 2)}\n`);
	return status;
}

/** Ends machines without asking their guests. */
const endAtOnce = (names: readonly string[]): Promise<number> =>
	forEach(names, async (machine) => {
		const {name, record} = machine;
		if (record.ended !== undefined) throw controlError('CONTROL_MACHINE_ENDED', {name, status: record.ended.status});
		await kill(machine);
	});

/** Removes what is kept of machines that have ended. */
const remove = (names: readonly string[], flags: FlagValues<string>): Promise<number> =>
	forEach(names, async (machine) => {
		if (!(await hasEnded(machine))) {
			if (!flags.has('force')) throw controlError('CONTROL_MACHINE_RUNNING', {name: machine.name});
			await kill(machine);
		}
		removeEntry(machine.folder, ({createdAt}) => createdAt === machine.record.createdAt);
	});

/** `openvmm stop NAME…`, `kill NAME…` and `rm NAME…`. */
export const endMachines = {stop, kill: endAtOnce, rm: remove} as const;

const say = (name: string): void => print(1, `${name}\n`);

/**
 * Does it to all of them at once, and says of each that it is done, or why not.
 * @param act - returns an error where there is something to be said of how it was done
 * @returns the first status that is not 0
 */
async function forEach(
	names: readonly string[],
	act: (machine: ListedMachine) => Promise<unknown>,
	done = say,
): Promise<number> {
	const statuses = await Promise.all(
		names.map(async (name) => {
			try {
				const fault = await act(await findMachine(name));
				done(name);
				return fault instanceof Error ? reportError(fault) : 0;
			} catch (error) {
				return reportError(error);
			}
		}),
	);
	return statuses.find((status) => status !== 0) ?? 0;
}

/** Asks the agent, and when that does not do it, presses the power button. @returns by what the machine ended; `force` where it has not */
async function shutDown(machine: ListedMachine, timeMs: number): Promise<StoppedBy> {
	if (timeMs === 0) return 'force';
	const until = performance.now() + timeMs;
	const leftMs = () => Math.max(1, Math.ceil(until - performance.now()));
	let by: StoppedBy | undefined;
	try {
		const {state} = (await ask(machine, 'status')) as {state: string};
		by = 'itself';
		// A guest that stands still hears nothing, and sees no button.
		if (state === 'paused') await ask(machine, 'resume');
		const withinMs = Math.ceil(leftMs() / 2);
		const asked = (await ask(machine, 'shut-down', {withinMs}, withinMs + quitMs)) as {by: StoppedBy | 'nobody'};
		if (asked.by !== 'nobody') {
			by = asked.by;
			if (await untilEnded(machine, by === 'command' ? leftMs() : leftMs() / 2)) return by;
			if (by === 'command') return 'force';
		}
		await ask(machine, 'power-button');
		by = 'power-button';
	} catch {
		// It hangs, is still being made, or has just ended.
		if (by === undefined) return (await hasEnded(machine)) ? 'itself' : 'force';
		// One that did answer goes, and takes its connections with it before it says that it has ended.
	}
	return (await untilEnded(machine, leftMs())) ? by : 'force';
}

/** Ends a machine, if need be with its process, and says how long that takes at most. @throws CONTROL_MACHINE_STAYS */
const kill = (machine: ListedMachine): Promise<void> =>
	whileWaiting('waits for the machine to end', quitMs + orderMs + quitMs, endByForce(machine));

async function endByForce(machine: ListedMachine): Promise<void> {
	const {name, record} = machine;
	let hasHeard = false;
	try {
		await ask(machine, 'quit');
		hasHeard = true;
		if (await untilEnded(machine, quitMs)) return;
	} catch {
		// It hangs, is still being made, or has just ended.
		if (await hasEnded(machine)) return;
	}
	const {pid, started} = record.process;
	const others = (await listMachines()).filter(
		(other) => isRunning(other) && other.name !== name && other.record.process.pid === pid,
	);
	// A process that has other machines too is not theirs to lose.
	const isAlone = others.length === 0;
	const end = (signal: NodeJS.Signals) => isAlone && isAlive({pid, started}) && process.kill(pid, signal);
	// One that is still being made ends in order by that; one that was told to end, and has not, hangs.
	if (!hasHeard && end('SIGTERM')) await untilEnded(machine, orderMs);
	if (!(await hasEnded(machine))) end('SIGKILL');
	if (!(await untilEnded(machine, quitMs))) throw controlError('CONTROL_MACHINE_STAYS', {name, pid});
}

/** Asks a machine for an operation. @throws VmmError CONTROL_…, also where it does not answer */
async function ask(
	machine: ListedMachine,
	method: string,
	params: Readonly<Record<string, unknown>> = {},
	limitMs: number = quitMs,
): Promise<unknown> {
	const client = await connectListed(machine);
	// Closed, it has no answer any more.
	const limit = setTimeout(() => client.close(), limitMs);
	try {
		return await client.call(method, params);
	} finally {
		clearTimeout(limit);
		client.close();
	}
}

/** Waits for a machine's end. @returns whether it has come */
export async function untilEnded(machine: ListedMachine, timeMs: number): Promise<boolean> {
	const until = Date.now() + timeMs;
	for (;;) {
		if (await hasEnded(machine)) return true;
		if (Date.now() >= until) return false;
		await sleep(lookMs);
	}
}
