import {deviceType} from '#devices/device-type';
import {mmioOptions, mmioPlace} from '#devices/virtio/device';
import {virtioRngFlags} from './flags.ts';
import {virtioRngKind, virtioRngMmio, virtioRngPci} from './virtio-rng.ts';

const summary = "Entropy of the host's for the guest";

/** Entropy as machines have it on PCI Express. */
export const virtioRngPciType = deviceType({
	...virtioRngPci,
	kind: virtioRngKind,
	summary,
	configure: () => ({}),
	flags: virtioRngFlags,
});

/** The same on MMIO. */
export const virtioRngMmioType = deviceType({
	...virtioRngMmio,
	kind: `${virtioRngKind}-mmio`,
	summary: `${summary}, on MMIO`,
	options: mmioOptions,
	configure: mmioPlace,
});
