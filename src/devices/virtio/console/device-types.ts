import {deviceType, type TerminalUse} from '#devices/device-type';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {virtioConsoleFlags} from './flags.ts';
import {type VirtioConsoleConfig, virtioConsoleKind} from './handle.ts';
import {plugPort, resizePort, unplugPort} from './port-commands.ts';
import {portList} from './port-list.ts';
import {virtioConsoleMmio, virtioConsolePci} from './virtio-console.ts';

const options = {
	ports: {
		type: portList,
		example: [
			{console: true, backend: {kind: 'none'}},
			{console: false, name: 'org.example.agent', unplugged: true, backend: {kind: 'none'}},
		],
		host: true,
		help: 'its ports by their numbers: SERIAL, with console: (rather than a channel), off: (not plugged in) and name=NAME: before it, several with + between them',
	},
} as const satisfies OptionTable;

const summary = 'Consoles, and channels to programs in the guest';
const commands = [plugPort(1), unplugPort(1), resizePort(0, 132, 43)].map((each) => ({...each}));

function terminal({ports}: VirtioConsoleConfig): TerminalUse | undefined {
	const found = ports.find(({backend}) => backend.kind === 'console');
	if (found === undefined) return undefined;
	// Linux counts those that it finds at first.
	const number = ports.filter((port) => port.console && !port.unplugged).indexOf(found);
	const resize = (columns: number, rows: number) => ({...resizePort(ports.indexOf(found), columns, rows)});
	return {takesInput: true, ...(number >= 0 && {linuxName: `hvc${number}`}), resize};
}

/** Consoles as machines have them on PCI Express. */
export const virtioConsolePciType = deviceType({
	...virtioConsolePci,
	kind: virtioConsoleKind,
	summary,
	commands,
	options,
	terminal,
	flags: virtioConsoleFlags,
});

/** The same on MMIO. */
export const virtioConsoleMmioType = deviceType({
	...virtioConsoleMmio,
	kind: `${virtioConsoleKind}-mmio`,
	summary: `${summary}, on MMIO`,
	commands,
	options: {...options, ...mmioOptions},
	terminal,
	configure: ({base, irq, ports}): OnMmio<VirtioConsoleConfig> => ({
		ports,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
