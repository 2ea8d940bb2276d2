import {type ControlClient, connectAll, connectMachine} from '#main/control';
import type {Operation} from '#main/operations';
import {type OperationWords, readLine, resultText} from './operation-line.ts';
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

/** A command that asks a running machine for an operation. @throws VmmError CLI_*, CONFIG_*, CONTROL_*, and what the machine throws */
export async function askMachine(named: Operation, words: OperationWords): Promise<number> {
	const {flags} = words;
	const {operation, given} = readLine(named, words, `openvmm ${named.name} --help`);
	const [vm, socket] = [flags.last('vm'), flags.last('socket')];
	const client = await connectMachine({...(vm !== undefined && {vm}), ...(socket !== undefined && {socket})});
	try {
		const text = resultText(operation, await client.call(operation.name, given), flags);
		if (operation.ends) await client.closed();
		if (text !== undefined) print(1, `${text}\n`);
	} finally {
		client.close();
	}
	return 0;
}
