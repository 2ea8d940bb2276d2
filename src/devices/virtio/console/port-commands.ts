import type {DeviceCommand} from '#devices/device';
import type {ConsolePortConfig} from './handle.ts';
import {isPlugged, type PortStateView, sizeWord} from './port-state.ts';

/** What the owner of a machine asks for of one port. */
export interface PortCommand extends DeviceCommand {
	readonly port: number;
	readonly columns?: number;
	readonly rows?: number;
}
const [plugKind, unplugKind, resizeKind] = ['plug-port', 'unplug-port', 'resize-port'];
const mostCharacters = 0xffff;

/** The guest gets a port of the configuration, or loses it. */
export const plugPort = (port: number): PortCommand => ({kind: plugKind, port});
export const unplugPort = (port: number): PortCommand => ({kind: unplugKind, port});
/** The terminal at a console's other end has another size, in characters: up to 65535. */
export const resizePort = (port: number, columns: number, rows: number): PortCommand => ({
	kind: resizeKind,
	port,
	columns,
	rows,
});

/** Does what the owner asks for. Under the lock. @returns false where there is nothing to be done */
export function commandPort(
	{kind, columns = 0, rows = 0}: PortCommand,
	config: ConsolePortConfig,
	state: PortStateView,
): boolean {
	switch (kind) {
		case plugKind:
		case unplugKind:
			if (isPlugged(config, state) === (kind === plugKind)) return false;
			state.turned = state.turned === 0 ? 1 : 0;
			return true;
		case resizeKind:
			if (!isCharacters(columns) || !isCharacters(rows)) return false;
			state.size = sizeWord(columns, rows);
			return true;
		default:
			return false;
	}
}

const isCharacters = (count: number): boolean => Number.isInteger(count) && count >= 0 && count <= mostCharacters;
