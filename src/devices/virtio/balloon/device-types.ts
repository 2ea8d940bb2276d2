import {deviceType} from '#devices/device-type';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {virtioBalloonFlags} from './flags.ts';
import {balloonPage, mostSeconds, mostTarget, type VirtioBalloonConfig, virtioBalloonKind} from './handle.ts';
import {balloonTarget, virtioBalloonMmio, virtioBalloonPci} from './virtio-balloon.ts';

const options = {
	target: {
		type: 'number',
		min: 0,
		max: mostTarget,
		default: 0,
		host: true,
		help: 'bytes that the guest is asked for at power-on',
	},
	statistics: {
		type: 'number',
		min: 0,
		max: mostSeconds,
		default: 5,
		help: "seconds between looks at the guest's statistics; 0 for none",
	},
	deflateOnOom: {
		type: 'flag',
		default: true,
		help: 'the guest takes memory back by itself before it kills a program for want of it',
	},
	reporting: {type: 'flag', default: true, help: 'the guest reports memory that it does not use'},
} as const satisfies OptionTable;

const summary = 'A balloon, by which the guest gives memory back';
const commands = [{...balloonTarget(64 * balloonPage)}];

/** Balloons as machines have them on PCI Express. */
export const virtioBalloonPciType = deviceType({
	...virtioBalloonPci,
	kind: virtioBalloonKind,
	summary,
	commands,
	options,
	flags: virtioBalloonFlags,
});

/** The same on MMIO. */
export const virtioBalloonMmioType = deviceType({
	...virtioBalloonMmio,
	kind: `${virtioBalloonKind}-mmio`,
	summary: `${summary}, on MMIO`,
	commands,
	options: {...options, ...mmioOptions},
	configure: ({base, irq, ...own}): OnMmio<VirtioBalloonConfig> => ({
		...own,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
