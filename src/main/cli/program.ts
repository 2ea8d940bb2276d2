import type {Worker} from 'node:worker_threads';
import {logLevels} from '#main/config';
import {machineOperations, type Operation} from '#main/operations';
import type {CreateOptions, VmEnd} from '#main/vm';
import {WorkerStock} from '#main/workers';
import type {VmmError} from '#support/errors';
import {type Children, choiceWriter, leaf, object} from '#support/inspect';
import {parseNumber} from '#support/options';
import {isHypervisorLikely} from '#vcpu-worker/back-ends';
import {operationCommand, ownCommands} from './commands.ts';
import {cliError} from './errors.ts';
import {commandHelpText, helpText} from './help.ts';
import type {Logger} from './logger.ts';
import type {CommandLine} from './parse.ts';
import {parseCommandLine} from './parse.ts';
import {print} from './print.ts';
import {errorLine, haltedForGood, reportError} from './report.ts';
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

/** What a person at the terminal is told when a machine stays after its guest's end. */
const haltedText = (end: VmEnd) =>
	`The guest has ended (${end.kind}) and the machine is kept: Ctrl-Q opens the console, for reset and quit`;

/** With more vCPUs than this the guest's own start takes longer than what warming saves. */
const maxWarmVcpus = 16;

/** More machines than any host has room for in one process. */
const maxClones = 10_000;

/**
 * The whole of `openvmm`. What a command does not need is not loaded: start-up time is a feature.
 * @param first - a thread for a vCPU that has been started already
 * @param operations - what may be asked of a running machine
 * @returns the status to end the process with
 */
export async function program(
	words: readonly string[],
	env: Environment,
	first?: Worker,
	operations = machineOperations,
): Promise<number> {
	const stock = new WorkerStock(first);
	try {
		return await run(parseCommandLine(words, operations), env, stock, operations);
	} catch (error) {
		return reportError(error);
	} finally {
		await stock.dispose();
	}
}

async function run(
	line: CommandLine,
	env: Environment,
	stock: WorkerStock,
	operations: readonly Operation[],
): Promise<number> {
	if (line.command !== 'run' && line.flags.has('help')) {
		if (line.command === 'ask') return say(commandHelpText(line.operation.name, operationCommand(line.operation)));
		return say(commandHelpText(line.command, ownCommands[line.command]));
	}
	switch (line.command) {
		case 'help':
			if (line.flags.has('markdown')) {
				const {referencePage} = await import('./reference-page.ts');
				return say(referencePage(operations));
			}
			if (line.flags.has('devices')) {
				const {devicesPage} = await import('./devices-page.ts');
				return say(devicesPage());
			}
			if (line.flags.has('operations')) {
				const {operationsPage} = await import('./operations-page.ts');
				return say(operationsPage(operations));
			}
			return say(helpText(operations));
		case 'doctor': {
			const {doctor} = await import('#main/doctor');
			return doctor({json: line.flags.has('json')});
		}
		case 'ls': {
			const {listMachines} = await import('./machine-commands.ts');
			return listMachines(line.flags.has('json'));
		}
		case 'ask': {
			const {askMachine} = await import('./machine-commands.ts');
			return askMachine(line.operation, line);
		}
		case 'run':
			if (line.flags.has('help')) return say(helpText(operations));
			if (line.flags.has('version')) {
				const {packageVersion} = await import('#main/version');
				return say(`openvmm ${packageVersion()}\n`);
			}
			return runFlags(line.flags, env, stock);
	}
}

function say(text: string): number {
	print(1, text);
	return 0;
}

async function runFlags(
	flags: Extract<CommandLine, {command: 'run'}>['flags'],
	env: Environment,
	stock: WorkerStock,
): Promise<number> {
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
	const {runMachine} = await import('./run.ts');
	const {openLog} = await import('./open-log.ts');
	return runMachine(config, {
		openLog,
		async createMachine(log, signal) {
			const {startMachine} = await import('./start-machine.ts');
			const prefetched = (doneBytes: number, totalBytes: number) =>
				log.debug({doneBytes, totalBytes}, 'Memory prefetched');
			const crashDumped = (path: string, error?: VmmError) =>
				print(2, error === undefined ? `openvmm: The guest's core dump is in "${path}"\n` : errorLine(error.toData()));
			const halted = (end: VmEnd) => print(2, `openvmm: ${haltedText(end)}\n`);
			const stuck = () => log.warn(haltedForGood);
			const deviceFailed = (message: string) => log.warn(`${message}. The machine goes on without it`);
			const told = {prefetched, halted, stuck, crashDumped, deviceFailed};
			return startMachine(config, {...told, stock, signal, inspect: () => logNodes(log), ...begin}, log);
		},
		async claimPidFile(path) {
			const {claimPidFile} = await import('./pid-file.ts');
			return claimPidFile(path);
		},
		async attachTerminal(machine, options) {
			const {attachTerminal} = await import('./terminal.ts');
			return attachTerminal(machine, options);
		},
		async openControl(machine, options, log, quit) {
			const {openControl} = await import('./open-control.ts');
			return openControl(machine, options, log, quit);
		},
	});
}
