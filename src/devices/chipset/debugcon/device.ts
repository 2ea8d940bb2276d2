import type {BackServices, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {createSerialBack, type SerialBack, type SerialBackendConfig} from '#devices/serial-backends';
import {ByteRing, ringFields} from '#support/shared-memory';
import {type FieldsView, f64, i32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const debugconKind = 'debugcon';

/** The debug console: a port that takes bytes. */
export interface DebugconConfig {
	/** By convention 0xe9. OVMF's 0x402 lies among the ports of ACPI power management. */
	readonly port: number;
	readonly backend: SerialBackendConfig;
}

/** Value of a read, by which a guest finds the port (Bochs, `port_e9_hack`). */
const signature = 0xe9;

const capacity = 64 * 1024;

const DebugconState = wire('debugcon', {
	/** Bytes taken from the guest. */
	txBytes: f64,
	/** Bytes the guest wrote while the ring was full: the port cannot say that it is busy. */
	txDropped: f64,
	/** Bytes of `txBytes` that nobody took. */
	txDiscarded: f64,
	/** The host's latest reason to refuse output, an errno; 0 when there was none. */
	hostErrno: i32,
	...ringFields('tx', capacity),
});

type DebugconFields = (typeof DebugconState)['fields'];

function debugconFront(
	config: DebugconConfig,
	state: FieldsView<DebugconFields>,
	services: DeviceServices,
): DeviceFront {
	const ring = new ByteRing(DebugconState, state, 'tx');
	const attached = config.backend.kind !== 'none';
	return {
		read: () => signature,
		write(_region, _offset, _size, value) {
			if (attached && !ring.push(value)) {
				state.txDropped++;
				return;
			}
			state.txBytes++;
			if (!attached) state.txDiscarded++;
			// Asked after the byte is in the ring: see the serial port's front.
			else if (ring.length === 1) services.notifyBack();
		},
	};
}

function debugconBack(config: DebugconConfig, state: FieldsView<DebugconFields>, services: BackServices): SerialBack {
	return createSerialBack(config.backend, services.reactor, {
		output: new ByteRing(DebugconState, state, 'tx'),
		sent: () => {},
		discarded: (count, errno) => {
			services.locked(() => {
				state.txDiscarded += count;
				if (errno !== 0) state.hostErrno = errno;
			});
		},
		connection: () => {},
		// Input is read and dropped, so that a client's hang-up is seen.
		inputRoom: () => capacity,
		input: () => {},
	});
}

/** A write-only byte sink with a serial port's back ends. Bytes go out as they are written. */
export const debugcon: DeviceModel<DebugconConfig, DebugconFields> = {
	kind: debugconKind,
	state: DebugconState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'debugcon', base: port, length: 1}]},
	front: debugconFront,
	back: debugconBack,
};
