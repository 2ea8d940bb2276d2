import {basename} from 'node:path';
import {terminalUsers, type VmConfig} from '#main/config';
import type {MachineDescription} from '#main/control';

/** Describes a machine to those who list it. */
export function describeMachine(config: VmConfig): MachineDescription {
	const {boot, processors, memory, devices} = config;
	return {
		hasConsole: terminalUsers(config).length > 0,
		image: imageOf(boot),
		processors: processors.count,
		memoryBytes: memory.sizeBytes,
		ports: devices.flatMap((handle) => ('kind' in handle ? portsIn(handle.options) : [])),
	};
}

function imageOf(boot: VmConfig['boot']): string {
	switch (boot.kind) {
		case 'linux':
			return basename(boot.kernel);
		case 'flat':
			return basename(boot.image);
		case 'embedded':
			return 'embedded';
		case 'none':
			return 'snapshot';
	}
}

/** Options of a NIC that say which ports of the host lead to its guest. */
interface Forward {
	readonly protocol: string;
	readonly hostAddress?: string;
	readonly hostPort: number;
	readonly guestAddress?: string;
	readonly guestPort: number;
}

/** The ports of the host in a device's options, wherever in them they are. */
function portsIn(options: unknown): string[] {
	if (typeof options !== 'object' || options === null) return [];
	return Object.entries(options).flatMap(([key, value]) =>
		key === 'hostForwards' ? (value as readonly Forward[]).map(portText) : portsIn(value),
	);
}

const portText = ({protocol, hostAddress = '0.0.0.0', hostPort, guestAddress, guestPort}: Forward): string =>
	`${endText(hostAddress, hostPort)}->${guestAddress === undefined ? guestPort : endText(guestAddress, guestPort)}/${protocol}`;
const endText = (address: string, port: number): string =>
	`${address.includes(':') ? `[${address}]` : address}:${port}`;

/** The machine with a log of what is bound to its console. */
export const withConsoleLog = (config: VmConfig, log: string): VmConfig => ({
	...config,
	devices: config.devices.map((handle) =>
		'kind' in handle && handle.options !== undefined ? {...handle, options: logged(handle.options, log)} : handle,
	),
});

/** Options in which each binding to the console, wherever it is, has the log. */
function logged<T>(options: T, log: string): T {
	if (typeof options !== 'object' || options === null) return options;
	if (Array.isArray(options)) return options.map((each) => logged(each, log)) as T;
	if ('outputFd' in options) return {...options, log};
	return Object.fromEntries(Object.entries(options).map(([key, value]) => [key, logged(value, log)])) as T;
}
