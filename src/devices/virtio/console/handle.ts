import type {SerialBackendConfig} from '#devices/serial-backends';

/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioConsoleKind = 'virtio-console';

/** Type of the device (virtio 1.2, 5). */
export const virtioConsoleId = 3;

/** Most ports of one device. */
export const mostPorts = 16;

/** Most bytes of a port's name; Linux has it in `/sys/class/virtio-ports`. */
export const mostNameBytes = 64;

/** One port: bytes both ways between the guest and a back end. */
export interface ConsolePortConfig {
	/** Tells the guest what it is for; without it the guest has its number alone. */
	readonly name?: string;
	/** It is a console (`/dev/hvc0` in Linux), rather than a channel for programs (`/dev/vport0p1`). */
	readonly console: boolean;
	/** The guest finds it when the machine's owner plugs it in. */
	readonly unplugged?: boolean;
	readonly backend: SerialBackendConfig;
}

/** A device with ports. The first is the one that a driver has which knows of no others. */
export interface VirtioConsoleConfig {
	readonly ports: readonly ConsolePortConfig[];
}
