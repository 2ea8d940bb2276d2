import {formatBytes} from '#main/config';
import {type ControlClient, connectListed, isRunning, type ListedMachine, listMachines} from '#main/control';
import {isVmmError} from '#support/errors';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';
import {table} from './table.ts';

/** A machine as `openvmm ps --json` has it. */
interface MachineRow {
	readonly name: string;
	readonly state: string;
	readonly pid: number;
	readonly image: string | null;
	readonly command: readonly string[];
	readonly createdAt: string;
	/** Seconds since it was made, or until its end. */
	readonly seconds: number;
	readonly processors: number | null;
	readonly memoryBytes: number | null;
	readonly ports: readonly string[];
	/** Exit status of one that has ended. */
	readonly status: number | null;
}

/** `openvmm ps`. */
export async function printMachines(flags: FlagValues<string>): Promise<number> {
	const machines = (await listMachines()).filter((machine) => flags.has('all') || isRunning(machine));
	if (flags.has('quiet')) print(1, machines.map(({name}) => `${name}\n`).join(''));
	else {
		const rows = await Promise.all(machines.map(rowOf));
		print(1, flags.has('json') ? `${JSON.stringify(rows)}\n` : table([titles, ...rows.map(cellsOf)]));
	}
	return 0;
}

async function rowOf(machine: ListedMachine): Promise<MachineRow> {
	const {name, record} = machine;
	const {about, ended, createdAt, process} = record;
	return {
		name,
		state: ended === undefined ? await stateOf(machine) : 'ended',
		pid: process.pid,
		image: about.image ?? null,
		command: about.command ?? [],
		createdAt: new Date(createdAt).toISOString(),
		seconds: Math.max(0, Math.round(((ended?.at ?? Date.now()) - createdAt) / 1000)),
		processors: about.processors ?? null,
		memoryBytes: about.memoryBytes ?? null,
		ports: about.ports ?? [],
		status: ended?.status ?? null,
	};
}

/** The state that a machine tells of itself, or why it does not. */
async function stateOf(machine: ListedMachine): Promise<string> {
	let client: ControlClient | undefined;
	try {
		client = await connectListed(machine);
		return ((await client.call('status')) as {state: string}).state;
	} catch (error) {
		if (isVmmError(error, 'CONTROL_CONNECTION_LOST')) return 'stopped';
		const isYoung = isVmmError(error) && ['ENOENT', 'ECONNREFUSED'].includes(String(error.context['errno']));
		return isYoung ? 'starting' : 'hangs';
	} finally {
		client?.close();
	}
}

const titles = ['NAME', 'IMAGE', 'STATE', 'TIME', 'CPUS', 'MEMORY', 'PORTS'] as const;

const cellsOf = ({name, image, state, status, seconds, processors, memoryBytes, ports}: MachineRow): string[] => [
	name,
	image ?? '-',
	status === null ? state : `${state} (${status})`,
	duration(seconds),
	`${processors ?? '-'}`,
	memoryBytes === null ? '-' : formatBytes(memoryBytes),
	ports.join(', '),
];

/** A time as a person says it: in the largest unit that there are two of. */
export function duration(seconds: number): string {
	const units: readonly (readonly [number, string])[] = [
		[86_400, 'days'],
		[3600, 'h'],
		[60, 'min'],
	];
	const [size, unit] = units.find(([each]) => seconds >= 2 * each) ?? [1, 's'];
	return `${Math.floor(seconds / size)} ${unit}`;
}
