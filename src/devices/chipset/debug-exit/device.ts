import type {DeviceModel, MachineEvent} from '#devices/device';
import {i32, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const debugExitKind = 'debug-exit';

/** The port through which a test guest ends the process. */
export interface DebugExitConfig {
	/** First of its four ports, by convention 0xf4. */
	readonly port: number;
}

const DebugExitState = wire('debug-exit', {
	/** Exits asked for. */
	requests: u32,
	/** The latest status asked for; -1 when there was none. */
	status: i32.initial(-1),
});

/** Ports claimed, so that a guest may write with any width (QEMU's `isa-debug-exit,iosize=4`). */
const portCount = 4;

/** Every end that there is, made once: an access makes no object. */
const exits = Array.from({length: 256}, (_, status): MachineEvent => ({kind: 'exit', status}));

/** The exit status for a guest's write: odd, so that a guest cannot report the 0 of a clean power-off. */
export const exitStatus = (value: number): number => ((value << 1) | 1) & 0xff;

/** Ends the process with `(v << 1) | 1` when the guest writes v, as QEMU's `isa-debug-exit` does. Reads as zero. */
export const debugExit: DeviceModel<DebugExitConfig, (typeof DebugExitState)['fields']> = {
	kind: debugExitKind,
	state: DebugExitState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'exit', base: port, length: portCount}]},
	front: (_config, state, services) => ({
		read: () => 0,
		write: (_region, _offset, _size, value) => {
			const status = exitStatus(value);
			state.requests++;
			state.status = status;
			services.request(exits[status] as MachineEvent);
		},
	}),
};
