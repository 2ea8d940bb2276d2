import type {Worker} from 'node:worker_threads';
import {machineOperations, type Operation} from '#main/operations';
import type {WorkerStock} from '#main/workers';
import {commands, operationCommand, ownCommands} from './commands.ts';
import {cliError} from './errors.ts';
import {commandHelpText, helpText} from './help.ts';
import type {CommandLine} from './parse.ts';
import {parseCommandLine} from './parse.ts';
import {print, printVersion} from './print.ts';
import {reportError} from './report.ts';
import type {Environment} from './to-config.ts';

/** Does what a command line asks for; see {@link program}. */
export async function obey(
	words: readonly string[],
	env: Environment,
	first?: Worker,
	operations = machineOperations,
): Promise<number> {
	let made: WorkerStock | undefined;
	const stock = async () => {
		const {WorkerStock: Stock} = await import('#main/workers');
		made ??= new Stock(first);
		return made;
	};
	try {
		return await run(parseCommandLine(words, operations), env, stock, operations);
	} catch (error) {
		return reportError(error);
	} finally {
		// A thread that was started for nothing ends as every other does.
		if (first !== undefined) await stock();
		await made?.dispose();
	}
}

async function run(
	line: CommandLine,
	env: Environment,
	stock: () => Promise<WorkerStock>,
	operations: readonly Operation[],
): Promise<number> {
	if (line.command !== 'boot' && line.flags.has('help')) {
		if (line.command === 'ask') return say(commandHelpText(line.operation.name, operationCommand(line.operation)));
		return say(commandHelpText(line.command, ownCommands[line.command]));
	}
	switch (line.command) {
		case 'help':
			if (line.flags.has('markdown')) {
				const {referencePage} = await import('./reference-page.ts');
				return say(referencePage(operations));
			}
			if (line.flags.has('cpu')) {
				const {cpuPage} = await import('./cpu-page.ts');
				return say(cpuPage());
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
		case 'check-device': {
			const [word] = line.words;
			if (word === undefined)
				throw cliError('CLI_ARGUMENT_MISSING', {argument: 'MODULE', help: 'openvmm check-device --help'});
			const {checkDeviceModule} = await import('./check-device-module.ts');
			return checkDeviceModule(word, {json: line.flags.has('json')});
		}
		case 'image':
		case 'disk':
			throw cliError('CLI_ARGUMENT_MISSING', {argument: 'COMMAND', help: `openvmm ${line.command} --help`});
		case 'image build': {
			const {buildImage} = await import('./build-image.ts');
			return buildImage(line.words, line.flags, env);
		}
		case 'image ls':
		case 'image pull':
		case 'image load':
		case 'image inspect':
		case 'image rm':
		case 'image prune': {
			const {runImageCommand} = await import('./image-commands.ts');
			return runImageCommand(line.command, line.words, line.flags, env);
		}
		case 'disk create':
		case 'disk info':
		case 'disk check':
		case 'disk convert':
		case 'disk resize':
		case 'disk commit': {
			const {runDiskCommand} = await import('./disk-commands.ts');
			return runDiskCommand(line.command, line.words, line.flags);
		}
		case 'ps': {
			const {printMachines} = await import('./machine-list.ts');
			return printMachines(line.flags);
		}
		case 'run': {
			const {detach, isDetached, whoWaits} = await import('./detach.ts');
			if (line.flags.has('detach') && !isDetached(env)) return detach();
			const {runImage} = await import('./run-image.ts');
			return runImage(line.words, line.flags, env, line.flags.has('detach') ? whoWaits() : undefined);
		}
		case 'exec': {
			const {execInMachine} = await import('./exec.ts');
			return execInMachine(line.words, line.flags, env);
		}
		case 'cp': {
			const {copy} = await import('./copy.ts');
			return copy(line.words);
		}
		case 'logs': {
			const {printLog} = await import('./logs.ts');
			return printLog(await nameIn(line), line.flags);
		}
		case 'attach': {
			const {attach} = await import('./attach.ts');
			return attach(await nameIn(line), line.flags);
		}
		case 'stop':
		case 'kill':
		case 'rm': {
			await nameIn(line);
			const {endMachines} = await import('./end-machines.ts');
			return endMachines[line.command](line.words, line.flags);
		}
		case 'completion': {
			const {printCompletion} = await import('./shell-completion.ts');
			return printCompletion(line.words, commands(operations));
		}
		case 'top': {
			const {top} = await import('./top.ts');
			return top(line);
		}
		case 'ask': {
			const {askMachine} = await import('./operation-line.ts');
			return askMachine(line.operation, line);
		}
		case 'boot': {
			if (line.flags.has('help')) return say(helpText(operations));
			if (line.flags.has('version')) return printVersion();
			const {runFlags} = await import('./run-flags.ts');
			return runFlags(line.flags, env, await stock());
		}
	}
}

/** The first word, a machine's name. @throws CLI_ARGUMENT_MISSING */
async function nameIn({
	command,
	words: [name],
}: {
	readonly command: string;
	readonly words: readonly string[];
}): Promise<string> {
	if (name !== undefined) return name;
	const {nameMissing} = await import('./choose-machine.ts');
	throw nameMissing(`openvmm ${command} --help`);
}

function say(text: string): number {
	print(1, text);
	return 0;
}
