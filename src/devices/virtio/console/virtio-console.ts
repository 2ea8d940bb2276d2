import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {ConsoleBack, type ConsoleFeature, ConsoleState, consoleFeatures, pushEmergency} from './console-back.ts';
import {mostPorts, type VirtioConsoleConfig, virtioConsoleId, virtioConsoleKind} from './handle.ts';
import {ConsoleSpace} from './layout.ts';
import {commandPort, type PortCommand} from './port-commands.ts';
import {isPlugged, type PortStateView, Told} from './port-state.ts';

const emergencyOffset = ConsoleSpace.offset('emergency');

/** Consoles and channels (virtio 1.2, 5.3): up to 16 ports over back ends of serial ports. */
const virtioConsole: VirtioDevice<VirtioConsoleConfig, typeof ConsoleState.fields, ConsoleFeature> = {
	kind: virtioConsoleKind,
	id: virtioConsoleId,
	pciClass: 0x07_8000,
	state: ConsoleState,
	features: consoleFeatures,
	mostQueues: 2 + 2 * mostPorts,
	// A driver of one port finds two queues, and those for control messages behind them.
	queues: ({ports}) =>
		['receive-0', 'transmit-0', 'control-receive', 'control-transmit']
			.concat(ports.slice(1).flatMap((_, index) => [`receive-${index + 1}`, `transmit-${index + 1}`]))
			.map((name) => ({name, size: 64})),
	config: {
		bytes: ConsoleSpace.size,
		values: ({ports}) => ConsoleSpace.encode({portsMost: ports.length}),
		written: [{offset: emergencyOffset, size: 4, most: 2 ** 32 - 1}],
	},
	configWritten: (offset, value, state) => offset === emergencyOffset && pushEmergency(state, value),
	control(command, state, {ports}) {
		const {port} = command as PortCommand;
		const [config, own] = [ports[port], state.ports[port]];
		return config !== undefined && own !== undefined && commandPort(command as PortCommand, config, own);
	},
	words: (state, {ports}) => ({
		ports: ports
			.map((config, number) => {
				const own = state.ports[number] as PortStateView;
				const place = isPlugged(config, own) ? '' : ', not plugged in';
				const ends = [own.open !== 0 ? 'the guest' : '', (own.told & Told.OPEN) !== 0 ? 'the host' : ''].filter(
					Boolean,
				);
				const what = config.console ? 'console' : 'channel';
				return `${number}: ${what}${config.name === undefined ? '' : ` ${config.name}`}, open to ${ends.join(' and ') || 'nobody'}${place}`;
			})
			.join('; '),
	}),
	back: (config, state, services) => new ConsoleBack(config, state, services),
};

export const virtioConsolePci = virtioPci(virtioConsole);
export const virtioConsoleMmio = virtioMmio(virtioConsole);
