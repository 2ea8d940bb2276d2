import {resolve} from 'node:path';
import {parseClockPolicy} from '#main/config';
import {type ControlClient, connectAll, connectMachine} from '#main/control';
import {type InspectResult, toJson, toText} from '#support/inspect';
import {cliError} from './errors.ts';
import {commands} from './flags.ts';
import {inspectRequest} from './inspect-request.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';

/** `openvmm ls`. */
export async function listMachines(json: boolean): Promise<number> {
	const clients = await connectAll();
	const rows = await Promise.all(
		clients.map(async (client) => {
			const {pid, name} = client.hello;
			const state = await stateOf(client);
			client.close();
			return {pid, name, state};
		}),
	);
	if (json) print(1, `${JSON.stringify(rows)}\n`);
	else {
		const lines = rows.map(({pid, name = '-', state}) => `${String(pid).padEnd(10)}${state.padEnd(10)}${name}\n`);
		print(1, [`${'PID'.padEnd(10)}${'STATE'.padEnd(10)}NAME\n`, ...lines].join(''));
	}
	return 0;
}

/** A machine that ends meanwhile has stopped. */
const stateOf = (client: ControlClient): Promise<string> =>
	client.call('status').then(
		(status) => (status as {state: string}).state,
		() => 'stopped',
	);

/** `openvmm inspect`. @throws VmmError CONTROL_*, INSPECT_* */
export async function inspectMachine(flags: FlagValues<string>, argument: string | undefined): Promise<number> {
	const {path, options, update, json} = inspectRequest(flags, argument);
	await withMachine(flags, async (client) => {
		const params = update === undefined ? {path, ...options} : {path, value: update};
		const result = (await client.call(update === undefined ? 'inspect' : 'update', params)) as InspectResult;
		print(1, `${json ? JSON.stringify(toJson(result), undefined, 2) : toText(result)}\n`);
	});
	return 0;
}

/** A command that writes what a machine is to a path. @throws VmmError CLI_ARGUMENT_MISSING, CONTROL_*, CORE_DUMP_FAILED, SNAPSHOT_* */
export async function writeMachine(
	command: 'dump-core' | 'save-snapshot',
	flags: FlagValues<string>,
	argument: string | undefined,
): Promise<number> {
	if (argument === undefined) {
		const wanted = commands[command].argument;
		throw cliError('CLI_ARGUMENT_MISSING', {argument: wanted, help: `openvmm ${command} --help`});
	}
	// The machine's process may be in another directory.
	await withMachine(flags, (client) => client.call(command, {path: resolve(argument)}));
	return 0;
}

/** A command that is one call of a method; `quit` is over when the machine is. @throws VmmError CONTROL_* */
export async function callMachine(flags: FlagValues<string>, method: string): Promise<number> {
	const clock = flags.last('clock');
	const params = clock === undefined ? {} : {clock: parseClockPolicy(clock, '--clock')};
	await withMachine(flags, async (client) => {
		await client.call(method, params);
		if (method === 'quit') await client.closed();
	});
	return 0;
}

/** `openvmm pcie-add`. The path is one of the caller's, who may be in another folder than the machine. */
export async function addDevice(flags: FlagValues<string>, argument = ''): Promise<number> {
	const [, port, file, options = ''] = /^([^:]+):([^,]+)(,.*)?$/s.exec(argument) ?? [];
	if (port === undefined || file === undefined)
		throw cliError('CLI_VALUE_MISSING', {flag: 'pcie-add', value: 'PORT:PATH[,OPTIONS]'});
	await withMachine(flags, async (client) => {
		const {name} = (await client.call('pcie-add', {port, device: resolve(file) + options})) as {name: string};
		print(1, `${name}\n`);
	});
	return 0;
}

/** `openvmm pcie-remove`. */
export async function removeDevice(flags: FlagValues<string>, port: string | undefined): Promise<number> {
	if (port === undefined) throw cliError('CLI_VALUE_MISSING', {flag: 'pcie-remove', value: 'PORT'});
	await withMachine(flags, (client) => client.call('pcie-remove', {port}).then(() => {}));
	return 0;
}

async function withMachine(flags: FlagValues<string>, use: (client: ControlClient) => Promise<unknown>): Promise<void> {
	const [vm, socket] = [flags.last('vm'), flags.last('socket')];
	const client = await connectMachine({...(vm !== undefined && {vm}), ...(socket !== undefined && {socket})});
	try {
		await use(client);
	} finally {
		client.close();
	}
}
