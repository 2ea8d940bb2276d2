import type {DeviceFront, DeviceModel, DeviceServices, MachineEvent} from '#devices/device';
import {type FieldsView, i32, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const pvpanicKind = 'pvpanic';

/** The port by convention, which old guests assume. */
export const pvpanicPort = 0x505;

/** The port through which a guest reports its panic. */
export interface PvpanicConfig {
	/** The port; see {@link pvpanicPort}. */
	readonly port: number;
}

/** Events of the port, one bit each (QEMU docs/specs/pvpanic). A read gives those that the host handles. */
const PanicEvent = {
	PANICKED: 1 << 0,
	/** The guest panicked and now runs its crash kernel. */
	CRASH_LOADED: 1 << 1,
	/** The guest has shut down in good order. */
	SHUTDOWN: 1 << 2,
} as const;

/** Value of a read. */
const supportedEvents = PanicEvent.PANICKED | PanicEvent.CRASH_LOADED | PanicEvent.SHUTDOWN;

/** The shared state of the panic port. */
export const PvpanicState = wire('pvpanic', {
	panics: u32,
	crashLoads: u32,
	shutdowns: u32,
	/** The latest value written, with bits that mean nothing; -1 when there was none. */
	lastValue: i32.initial(-1),
});

/** Fields of {@link PvpanicState}. */
export type PvpanicFields = (typeof PvpanicState)['fields'];

/** QEMU's ISA panic port: a guest's report of its panic is a crash, one of an orderly end a power-off. */
export const pvpanic: DeviceModel<PvpanicConfig, PvpanicFields> = {
	kind: pvpanicKind,
	state: PvpanicState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'event', base: port, length: 1}]},
	front: pvpanicFront,
};

/** Made once: an access makes no object. */
const crash: MachineEvent = {kind: 'crash'};
const powerOff: MachineEvent = {kind: 'power-off'};

/** The panic port on one thread. Bits that mean nothing are ignored. */
function pvpanicFront(_config: PvpanicConfig, state: FieldsView<PvpanicFields>, services: DeviceServices): DeviceFront {
	return {
		read: () => supportedEvents,
		write(_region, _offset, _size, value) {
			state.lastValue = value & 0xff;
			if ((value & PanicEvent.PANICKED) !== 0) state.panics++;
			if ((value & PanicEvent.CRASH_LOADED) !== 0) state.crashLoads++;
			if ((value & PanicEvent.SHUTDOWN) !== 0) state.shutdowns++;
			if ((value & PanicEvent.PANICKED) !== 0) services.request(crash);
			else if ((value & PanicEvent.SHUTDOWN) !== 0) services.request(powerOff);
		},
	};
}
