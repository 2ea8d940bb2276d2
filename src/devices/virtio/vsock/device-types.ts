import {deviceType} from '#devices/device-type';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {virtioVsockFlags} from './flags.ts';
import {leastCid, mostCid, type VirtioVsockConfig, virtioVsockKind} from './handle.ts';
import {virtioVsockMmio, virtioVsockPci} from './virtio-vsock.ts';

const options = {
	cid: {type: 'number', min: leastCid, max: mostCid, default: leastCid, help: "the guest's address"},
	path: {
		type: 'path',
		use: 'listen',
		example: '/tmp/openvmm-example.vsock',
		host: true,
		help: "a Unix socket for the host's connections to the guest; the guest's to a port of the host go to PATH_PORT",
	},
} as const satisfies OptionTable;

const summary = 'Sockets between the guest and its host';

/** Sockets as machines have them on PCI Express. */
export const virtioVsockPciType = deviceType({
	...virtioVsockPci,
	kind: virtioVsockKind,
	summary,
	options,
	flags: virtioVsockFlags,
});

/** The same on MMIO. */
export const virtioVsockMmioType = deviceType({
	...virtioVsockMmio,
	kind: `${virtioVsockKind}-mmio`,
	summary: `${summary}, on MMIO`,
	options: {...options, ...mmioOptions},
	configure: ({base, irq, ...own}): OnMmio<VirtioVsockConfig> => ({
		...own,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
