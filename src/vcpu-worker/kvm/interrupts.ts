import type {InputOf} from '#support/wire';
import {ArgumentBuffer} from './argument-buffer.ts';
import {IoeventfdFlag, Irqchip, IrqfdFlag} from './constants.ts';
import {kvmIoctl} from './ioctl.ts';
import {KvmIoeventfd, KvmIrqfd, KvmIrqRouting, KvmIrqRoutingEntry} from './structs-vm.ts';

/** An interrupt message, as a PCI device would write it (PCI 3.0, 6.8.1; Intel SDM vol. 3, 11.11). */
export interface MsiMessage {
	readonly addressLow: number;
	/** Bits 8–31 of the APIC id when extended ids are on. */
	readonly addressHigh: number;
	readonly data: number;
}

/** Route of an interrupt input (GSI). One GSI may have several routes to pins, but only one message. */
export type GsiRoute =
	| {
			readonly kind: 'pin';
			readonly gsi: number;
			readonly chip: 'pic-master' | 'pic-slave' | 'ioapic';
			readonly pin: number;
	  }
	| ({readonly kind: 'msi'; readonly gsi: number} & MsiMessage);

const chips = {'pic-master': Irqchip.PIC_MASTER, 'pic-slave': Irqchip.PIC_SLAVE, ioapic: Irqchip.IOAPIC} as const;

/** The input by which one PIC drives the other; nothing else can. */
const cascade = 2;

/**
 * Routes of a PC with kernel interrupt controllers: ISA inputs to PIC and I/O APIC, the others to the latter. KVM's own
 * differ in the timer's interrupt, which on a PC arrives at pin 2 of the I/O APIC (ACPI 6.5, 5.2.12.5; the MADT says so).
 */
export function defaultRoutes(): GsiRoute[] {
	return Array.from({length: 24}, (_, gsi): GsiRoute[] => {
		if (gsi === cascade) return [];
		const ioapic = {kind: 'pin', gsi, chip: 'ioapic', pin: gsi === 0 ? cascade : gsi} as const;
		if (gsi >= 16) return [ioapic];
		return [ioapic, {kind: 'pin', gsi, chip: gsi < 8 ? 'pic-master' : 'pic-slave', pin: gsi % 8}];
	}).flat();
}

/**
 * Replaces the whole routing table (KVM_SET_GSI_ROUTING).
 * @throws KVM_IOCTL_FAILED when a route is impossible or there are more than the host allows (4096)
 */
export function setGsiRouting(vmFd: number, routes: readonly GsiRoute[]): void {
	const buffer = new ArgumentBuffer(KvmIrqRouting.size + routes.length * KvmIrqRoutingEntry.size);
	buffer.with(KvmIrqRouting, {nr: routes.length});
	for (const [index, route] of routes.entries()) {
		writeRoute(buffer.view, KvmIrqRouting.size + index * KvmIrqRoutingEntry.size, route);
	}
	kvmIoctl(vmFd, 'KVM_SET_GSI_ROUTING', buffer, `${routes.length} routes`);
}

function writeRoute(view: DataView, at: number, route: GsiRoute): void {
	const u: InputOf<typeof KvmIrqRoutingEntry>['u'] =
		route.kind === 'pin'
			? {kind: 'irqchip', value: {irqchip: chips[route.chip], pin: route.pin}}
			: {kind: 'msi', value: {address_lo: route.addressLow, address_hi: route.addressHigh, data: route.data}};
	KvmIrqRoutingEntry.write(view, at, {gsi: route.gsi, u});
}

/**
 * Makes a signalled eventfd raise an interrupt input (KVM_IRQFD): an edge, or with `resampleFd` a level that falls at the
 * guest's end of interrupt, which signals `resampleFd`.
 */
export function assignIrqfd(vmFd: number, fd: number, gsi: number, resampleFd?: number): void {
	const resample = resampleFd === undefined ? {} : {flags: IrqfdFlag.RESAMPLE, resamplefd: resampleFd};
	const argument = new ArgumentBuffer(KvmIrqfd.size).with(KvmIrqfd, {fd, gsi, ...resample});
	kvmIoctl(vmFd, 'KVM_IRQFD', argument, `gsi ${gsi}`);
}

/** Ends {@link assignIrqfd}. When it returns, no interrupt of this eventfd is under way. */
export function deassignIrqfd(vmFd: number, fd: number, gsi: number): void {
	const argument = new ArgumentBuffer(KvmIrqfd.size).with(KvmIrqfd, {fd, gsi, flags: IrqfdFlag.DEASSIGN});
	kvmIoctl(vmFd, 'KVM_IRQFD', argument, `gsi ${gsi}`);
}

/** A guest write that signals an eventfd instead of exiting. */
export interface Ioeventfd {
	readonly space: 'pio' | 'mmio';
	/** Port, or guest-physical address. */
	readonly address: number;
	/** Width of the write in bytes; 0 takes any width (MMIO only). */
	readonly length: 0 | 1 | 2 | 4 | 8;
	/** The value that rings; every value rings when absent. Needs a length. */
	readonly match?: bigint;
	readonly fd: number;
}

/**
 * Installs a doorbell (KVM_IOEVENTFD).
 * @throws KVM_IOCTL_FAILED, with EEXIST when the same write is taken already
 */
export const assignIoeventfd = (vmFd: number, doorbell: Ioeventfd): void => ioeventfd(vmFd, doorbell, 0);

/** Removes a doorbell; all its fields as they were assigned. */
export const deassignIoeventfd = (vmFd: number, doorbell: Ioeventfd): void =>
	ioeventfd(vmFd, doorbell, IoeventfdFlag.DEASSIGN);

function ioeventfd(vmFd: number, doorbell: Ioeventfd, flag: number): void {
	const {space, address, length, match, fd} = doorbell;
	const flags = flag | (space === 'pio' ? IoeventfdFlag.PIO : 0) | (match === undefined ? 0 : IoeventfdFlag.DATAMATCH);
	const argument = new ArgumentBuffer(KvmIoeventfd.size).with(KvmIoeventfd, {
		datamatch: match ?? 0n,
		addr: BigInt(address),
		len: length,
		fd,
		flags,
	});
	kvmIoctl(vmFd, 'KVM_IOEVENTFD', argument, `${space} 0x${address.toString(16)}`);
}
