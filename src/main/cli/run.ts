import {checkConfig, checkProcessConfig, terminalUsers} from '#main/config';
import type {MachineEntry} from '#main/control';
import type {Machine} from '#main/operations';
import type {VmEnd} from '#main/vm';
import {type ErrorData, isVmmError} from '#support/errors';
import {exitStatuses, statusOfError, statusOfSignal} from './exit-status.ts';
import type {Logger} from './logger.ts';
import type {PidFile} from './pid-file.ts';
import {print} from './print.ts';
import {asErrorData, errorLine, reportError} from './report.ts';
import {type SignalWatch, watchSignals} from './signals.ts';
import type {StartedMachine} from './start-machine.ts';
import {stopMachines} from './stop-machines.ts';
import type {Terminal, TerminalOptions} from './terminal.ts';
import type {RunConfig} from './to-config.ts';

/** The watch over errors that nothing caught: bugs. */
interface FailureWatch {
	/** Rejects with the first such error. */
	readonly first: Promise<never>;
	close(): void;
}

/** Turns errors that nothing caught into a rejection, so that a bug still ends the machine in order. */
function watchFailures(): FailureWatch {
	const {promise: first, reject} = Promise.withResolvers<never>();
	first.catch(() => {});
	process.on('uncaughtException', reject);
	return {first, close: () => process.off('uncaughtException', reject)};
}

/** Parts of the world that a run uses, so that its control flow can be tested without one. */
export interface RunParts {
	/** Takes the machine's name and folder; undefined where it has none. */
	openEntry(config: RunConfig, log: Logger): Promise<MachineEntry | undefined>;
	/** Builds the machine that is configured, and starts it unless it is to wait. @param signal - gives it up */
	createMachine(log: Logger, signal: AbortSignal, entry: MachineEntry | undefined): Promise<StartedMachine<Machine>>;
	openLog(config: RunConfig['process']): Promise<Logger>;
	claimPidFile(path: string): PidFile;
	attachTerminal(machine: Machine, options: TerminalOptions): Terminal;
	/** Lets the user's other programs see and drive the machine. @param quit - called when one asks the machine to end */
	openControl(
		machine: Machine,
		config: RunConfig['process'],
		entry: MachineEntry | undefined,
		log: Logger,
		quit: () => void,
	): Promise<{close(): void}>;
}

/**
 * Runs one machine from configuration to its end, and gives back what it took: terminal, pid file, signals.
 * @returns the status to end the process with; why it is not 0 has been printed
 */
export async function runMachine(config: RunConfig, parts: RunParts): Promise<number> {
	const problems = [...checkConfig(config.vm), ...checkProcessConfig(config.process)];
	for (const problem of problems) print(2, errorLine(problem.toData()));
	const [problem] = problems;
	if (problem) return statusOfError(problem.code);

	const undo: (() => void)[] = [];
	// Every step may be repeated by a second signal, so each is undone once.
	const giveBack = () => {
		for (const step of undo.splice(0).reverse()) step();
	};
	const signals = watchSignals(giveBack);
	const failures = watchFailures();
	let log: Logger | undefined;
	let entry: MachineEntry | undefined;
	const endBy = (status: number) => {
		entry?.end(status);
		return status;
	};
	// For an end by force, where nobody is left to say a status.
	undo.push(() => void endBy(statusOfSignal('SIGKILL')));
	try {
		const {pidFile} = config.process;
		if (pidFile !== undefined) {
			const claimed = parts.claimPidFile(pidFile);
			undo.push(() => claimed.release());
		}
		log = await parts.openLog(config.process);
		entry = await parts.openEntry(config, log);
		return endBy(await runToEnd(config, log, parts, {signals, failure: failures.first, undo, giveBack, entry}));
	} catch (error) {
		const status = endBy(statusOfError(asErrorData(error).code));
		giveBack();
		reportError(error, log);
		return status;
	} finally {
		giveBack();
		signals.close();
		failures.close();
	}
}

/** Sources that a run hears from, and the resources it has taken. */
interface Run {
	readonly signals: SignalWatch;
	/** Rejects with an error that nothing caught. */
	readonly failure: Promise<never>;
	/** Steps that give back what was taken. */
	readonly undo: (() => void)[];
	readonly entry: MachineEntry | undefined;
	giveBack(): void;
}

async function runToEnd(
	config: RunConfig,
	log: Logger,
	parts: RunParts,
	{signals, failure, undo, giveBack, entry}: Run,
): Promise<number> {
	const created = await parts.createMachine(log, signals.ending, entry).catch((error: unknown) => {
		if (isVmmError(error, 'OPERATION_ABORTED')) return undefined;
		throw error;
	});
	if (created === undefined) {
		log.info('Machine given up before it was there');
		return signals.first;
	}
	const {machine, watchersLeft} = created;
	try {
		const {promise: quitStatus, resolve} = Promise.withResolvers<number>();
		const quit = () => resolve(exitStatuses.ok.status);
		const terminal = parts.attachTerminal(machine, {
			toGuest: terminalUsers(config.vm).some(({takesInput}) => takesInput),
			paused: config.vm.paused,
			quit,
		});
		undo.push(() => terminal.restore());
		// Whoever sees the control socket may send signals.
		undo.push(signals.follow(machine, (error) => void reportError(error, log)));
		const control = await parts.openControl(machine, config.process, entry, log, quit);
		undo.push(() => control.close());
		const end = await Promise.race([machine.ended, signals.first, failure, quitStatus]);
		log.info({end}, 'Machine ends');
		if (typeof end === 'number') return end;
		// Before anything is said: in raw mode lines would run down the screen like stairs.
		terminal.restore();
		return endStatus(end, log);
	} finally {
		await stopMachines([machine], giveBack);
		await watchersLeft;
	}
}

/** The status for a machine's own end, said aloud when it is not a clean one. */
export function endStatus(end: VmEnd, log: Logger): number {
	switch (end.kind) {
		case 'power-off':
		case 'hibernate':
		case 'stopped':
			return exitStatuses.ok.status;
		case 'exit':
			return end.status;
		case 'crash': {
			const where = end.vcpu === undefined ? '' : ` on processor ${end.vcpu}`;
			const message = `The guest crashed${where}: ${end.reason}`;
			const remedy =
				"Look at the guest's last console output, or keep it for inspection with --guest-crash-action halt";
			print(2, errorLine({code: 'GUEST_CRASH', message, remedy, context: {}}));
			return end.status;
		}
		case 'watchdog': {
			const message = 'The guest watchdog fired: the guest no longer told it that it is alive';
			const remedy =
				"Look at the guest's last console output, or keep it for inspection with --guest-watchdog-action halt";
			print(2, errorLine({code: 'GUEST_WATCHDOG', message, remedy, context: {}}));
			return end.status;
		}
		case 'halt': {
			const message = 'All processors of the guest have halted with interrupts off';
			const remedy = "Look at the guest's last console output, or keep it for inspection with --guest-halt-action halt";
			print(2, errorLine({code: 'GUEST_HALTED', message, remedy, context: {}}));
			return end.status;
		}
		case 'reset-loop': {
			const message = `The guest has started again ${end.resets} times in a row, each time within a minute`;
			const remedy =
				"Look at the guest's last console output. --guest-reset-action halt keeps the machine, --guest-reset-limit 0 lets it go on";
			print(2, errorLine({code: 'GUEST_RESET_LOOP', message, remedy, context: {resets: end.resets}}));
			return exitStatuses.resetLoop.status;
		}
		case 'error':
			return failureStatus(end.error, log);
	}
}

function failureStatus(error: ErrorData, log: Logger): number {
	print(2, errorLine(error));
	log.debug({code: error.code, context: error.context}, error.message);
	return statusOfError(error.code);
}
