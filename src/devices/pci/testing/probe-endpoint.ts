import type {DeviceModel} from '#devices/device';
import {unchecked} from '#support/trust';
import {u32, wire} from '#support/wire';

const ProbeState = wire('pci-probe', {
	scratch: u32,
	port: u32,
	/** Value that DMA found, or all ones where it was refused. */
	fetched: u32,
});

/** Registers of the probe's first BAR. */
export const probe = {SCRATCH: 0, RAISE: 4, LOWER: 8, FETCH: 12, SIGNAL: 16, ID: 0x20, idValue: 0x70726f62} as const;

/** A function with one of everything, for tests: BARs of three kinds, MSI, MSI-X, INTA, DMA. */
export const probeEndpoint: DeviceModel<unknown, (typeof ProbeState)['fields'], 'pci'> = {
	kind: 'pci-probe',
	state: ProbeState,
	attach: {
		pci: {
			vendor: 0x1414,
			device: 0xc0de,
			class: 0xff_0000,
			subsystem: {vendor: 0x1414, device: 0x2000},
			bars: [
				{index: 0, size: 0x1000},
				{index: 2, size: 0x10000, kind: 'prefetchable'},
				{index: 4, size: 0x20, kind: 'io'},
			],
			interrupts: {vectors: ['first', 'second', 'third'], msi: true, msix: {bar: 1}},
		},
	},
	front(_config, state, services) {
		const line = (vector: number) => services.line(['first', 'second', 'third'][vector] ?? 'first');
		const fetch = (gpa: number) => unchecked(services.memory.readU32(gpa)) ?? 0xffff_ffff;
		return {
			read(region, offset, size) {
				const value =
					region === 2
						? state.port
						: offset === probe.ID
							? probe.idValue
							: offset === probe.FETCH
								? state.fetched
								: state.scratch;
				return region === 1 ? (offset * 0x0101_0101) % 2 ** (8 * size) : value % 2 ** (8 * size);
			},
			write(region, offset, _size, value) {
				if (region === 2) state.port = value;
				if (region !== 0) return;
				if (offset === probe.SCRATCH) state.scratch = value;
				if (offset === probe.RAISE) line(value).setLevel(true);
				if (offset === probe.LOWER) line(value).setLevel(false);
				if (offset === probe.FETCH) state.fetched = fetch(value);
				if (offset === probe.SIGNAL) services.pci.signal(value);
			},
		};
	},
};
