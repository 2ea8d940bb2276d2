import {join} from 'node:path';
import {logLevels} from '#main/config';
import {entryFiles} from '#main/control';
import type {CreateOptions, VmEnd} from '#main/vm';
import type {WorkerStock} from '#main/workers';
import type {VmmError} from '#support/errors';
import {type Children, choiceWriter, leaf, object} from '#support/inspect';
import {parseNumber} from '#support/options';
import {isHypervisorLikely} from '#vcpu-worker/back-ends';
import {describeMachine, withConsoleLog} from './describe-machine.ts';
import {cliError} from './errors.ts';
import type {Logger} from './logger.ts';
import {openControl, openEntry} from './open-control.ts';
import {openLog} from './open-log.ts';
import type {FlagValues} from './parse.ts';
import {claimPidFile} from './pid-file.ts';
import {print} from './print.ts';
import {ProgressLine} from './progress-line.ts';
import {errorLine, haltedForGood, logNotices} from './report.ts';
import {runMachine} from './run.ts';
import {startMachine} from './start-machine.ts';
import {attachTerminal} from './terminal.ts';
import {type Environment, type RunConfig, toConfig} from './to-config.ts';

/** `log` in the tree: how much is logged, to be changed while the machine runs. */
const logNodes = (log: Logger): Children => ({
	log: object(() => ({
		level: leaf(() => log.level, {
			writer: choiceWriter(logLevels, (level) => {
				log.level = level;
			}),
		}),
	})),
});

/** Tells a person at the terminal that a machine stays after its guest's end. */
const haltedText = (end: VmEnd) =>
	`The guest has ended (${end.kind}) and the machine is kept: Ctrl-Q opens the console, for reset and quit`;

/** With more vCPUs than this the guest's own start takes longer than what warming saves. */
const maxWarmVcpus = 16;

/** More machines than any host has room for in one process. */
const maxClones = 10_000;

/** Runs the machines that flags ask for. @returns the status to end the process with */
export async function runFlags(flags: FlagValues, env: Environment, stock: WorkerStock): Promise<number> {
	if (flags.has('restore-snapshot')) {
		// One file cannot name the machines that one process runs.
		if (flags.has('clones') && flags.has('pidfile'))
			throw cliError('CLI_FLAGS_CONFLICT', {first: '--pidfile', second: '--clones'});
		const {openForRestore} = await import('./restore.ts');
		const restoring = await openForRestore(flags, env);
		const clones = flags.last('clones');
		if (clones !== undefined) {
			const {runClones} = await import('./clones.ts');
			return runClones(restoring, flags, parseNumber(clones, '--clones', 1, maxClones), stock);
		}
		const config = await restoring.configure(flags);
		stock.warm(config.vm.processors.count);
		return runConfig(config, stock, restoring.begin);
	}
	const needy = (['clones', 'clock'] as const).find((flag) => flags.has(flag));
	if (needy !== undefined) throw cliError('CLI_FLAG_NEEDS', {flag: `--${needy}`, needed: '--restore-snapshot DIR'});
	const config = toConfig(flags, env);
	// The machine's threads start while its code is still being loaded; not for a machine that cannot be.
	if (isHypervisorLikely(config.vm.hypervisor) && config.vm.processors.count <= maxWarmVcpus)
		stock.warm(config.vm.processors.count);
	return runConfig(config, stock, {});
}

async function runConfig(
	config: RunConfig,
	stock: WorkerStock,
	begin: Pick<CreateOptions, 'snapshot' | 'clock'>,
): Promise<number> {
	return runMachine(config, {
		openLog,
		claimPidFile,
		attachTerminal,
		openControl,
		openEntry: (_, log) => openEntry(config.process, log, {about: describeMachine(config.vm)}),
		createMachine(log, signal, entry) {
			const line = new ProgressLine();
			const prefetched = (doneBytes: number, totalBytes: number) => {
				log.debug({doneBytes, totalBytes}, 'Memory prefetched');
				// What the guest says comes next.
				if (doneBytes === totalBytes) line.clear();
				else line.update('takes its memory', doneBytes, totalBytes);
			};
			const crashDumped = (path: string, error?: VmmError) =>
				print(2, error === undefined ? `openvmm: The guest's core dump is in "${path}"\n` : errorLine(error.toData()));
			const halted = (end: VmEnd) => print(2, `openvmm: ${haltedText(end)}\n`);
			const stuck = () => log.warn(haltedForGood);
			const deviceFailed = (message: string) => log.warn(`${message}. The machine goes on without it`);
			const told = {prefetched, halted, stuck, crashDumped, deviceFailed, deviceNoticed: logNotices(log)};
			const logged =
				entry === undefined
					? config
					: {...config, vm: withConsoleLog(config.vm, join(entry.folder, entryFiles.console))};
			const options = {...told, stock, signal, inspect: () => logNodes(log), ...begin};
			return startMachine(logged, options, log).finally(() => line.clear());
		},
	});
}
