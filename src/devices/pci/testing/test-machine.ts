import type {PagesBackEnd} from '#devices/bar-pages';
import type {AccessSize, AnyDeviceModel, DeviceInstance} from '#devices/device';
import type {DoorbellBackEnd} from '#devices/doorbells';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import type {AttachedMachine, MachineLayout} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {downstreamPortKind, type PciePortConfig, rootPortKind, upstreamPortKind} from '#devices/pci/port';
import {bytesPerBus, type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import {findDeviceModel} from '#devices/registry';
import {oneThreadMachine} from '#devices/testing';
import type {MailboxCaller} from '#support/mailbox';
import {probeEndpoint} from './probe-endpoint.ts';

const mib = 2 ** 20;

/** The root complex of tests: buses 0–15. */
export const testComplex: RootComplexConfig = {
	segment: 0,
	startBus: 0,
	endBus: 15,
	ecam: {gpa: 0x1_4000_0000, length: 16 * bytesPerBus},
	lowMmio: {gpa: 0xe000_0000, length: 64 * mib},
	highMmio: {gpa: 0x40_0000_0000, length: 2 ** 30},
	ports: {base: 0x1000, length: 0xf000},
	preserveBars: false,
};

const shared = (name: string, kind: string, config: unknown, on?: string, devfn = 0): DeviceInstance => {
	return {name, kind, config, ...(on !== undefined && {place: {on, devfn}})};
};

const port: PciePortConfig = {acs: 0x5f, prefixes: false};

/** A root complex; the configuration space ports. */
export const complexOf = (config: Partial<RootComplexConfig> = {}, name = 'rc0'): DeviceInstance =>
	shared(name, rootComplexKind, {...testComplex, ...config});
export const rootPortOf = (name: string, device: number, config: Partial<PciePortConfig> = {}, on = 'rc0') =>
	shared(name, rootPortKind, {...port, ...config}, on, device * 8);
/** A switch with two ports, `NAME-0` and `NAME-1`. */
export const switchOf = (name: string, on: string): DeviceInstance[] => [
	shared(name, upstreamPortKind, port, on),
	...[0, 1].map((index) => shared(`${name}-${index}`, downstreamPortKind, port, name, index * 8)),
];
export const probeOf = (name: string, on: string, devfn = 0): DeviceInstance =>
	shared(name, probeEndpoint.kind, {}, on, devfn);
/** The ports 0xCF8 and 0xCFC. */
export const configPorts = shared('pci-config', 'pci-config', {});

/** A complex with a slot, a port with a device, and a switch with a device behind its second port. */
export const usualDevices: readonly DeviceInstance[] = [
	complexOf(),
	configPorts,
	rootPortOf('rp0', 0, {slot: 1}),
	rootPortOf('rp1', 1),
	rootPortOf('rp2', 2),
	...switchOf('sw', 'rp2'),
	probeOf('near', 'rp1'),
	probeOf('far', 'sw-1'),
];

const probeModel = completeModel(probeEndpoint);

/** A machine without processors, as one thread has it. */
export class PciTestMachine {
	readonly machine: AttachedMachine;
	readonly layout: MachineLayout;
	bus: ReturnType<AttachedMachine['bus']>;
	readonly #caller: MailboxCaller;
	readonly #findModel: (kind: string) => AnyDeviceModel | undefined;
	/** Levels of inputs as they changed, `16 up`. */
	readonly lines: string[] = [];
	/** Messages as they were sent, `address data`. */
	readonly messages: string[] = [];

	/**
	 * @param layout - of a machine that another thread has too
	 * @param model - what a probe is
	 * @param isShared - see `MachineHost.isShared`
	 */
	constructor(
		devices: readonly DeviceInstance[] = usualDevices,
		layout?: MachineLayout,
		model = probeModel,
		doorbells?: DoorbellBackEnd,
		pages?: PagesBackEnd,
		isShared = false,
	) {
		const findModel = (kind: string) => (kind === model.kind ? model : findDeviceModel(kind));
		this.#findModel = findModel;
		const interrupts = tellingInterrupts({
			setLine: (input, up) => void this.lines.push(`${input} ${up ? 'up' : 'down'}`),
			send: (low, high, data) => void this.messages.push(`${(high * 2 ** 32 + low).toString(16)} ${data.toString(16)}`),
		});
		const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10000}));
		memory.writeU32(0x500, 0x1234_5678);
		const made = oneThreadMachine(devices, {
			findModel,
			interrupts,
			memory,
			...(layout && {layout}),
			...(doorbells && {doorbells}),
			...(pages && {pages}),
			isShared,
		});
		({machine: this.machine, layout: this.layout, caller: this.#caller, bus: this.bus} = made);
	}

	/** Follows the machine to devices that have come or gone. */
	change(layout: MachineLayout): void {
		this.machine.change(layout, this.#findModel);
		this.bus = this.machine.bus(this.#caller);
	}

	/** Reads configuration space by ECAM. */
	config(bus: number, devfn: number, offset: number, size: AccessSize = 4): number {
		return this.bus.readMmio(this.#ecam(bus, devfn) + offset, size);
	}

	/** Writes configuration space by ECAM. */
	setConfig(bus: number, devfn: number, offset: number, value: number, size: AccessSize = 4): void {
		this.bus.writeMmio(this.#ecam(bus, devfn) + offset, size, value);
	}

	/** Reads the address of a 32-bit BAR. */
	bar(bus: number, index: number): number {
		return this.config(bus, 0, 0x10 + 4 * index) & ~0xf;
	}

	#ecam(bus: number, devfn: number): number {
		return testComplex.ecam.gpa + bus * bytesPerBus + devfn * 4096;
	}
}
