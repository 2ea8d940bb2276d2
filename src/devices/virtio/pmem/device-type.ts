import {deviceType} from '#devices/device-type';
import type {OptionTable} from '#support/options';
import {virtioPmemFlags} from './flags.ts';
import type {VirtioPmemConfig} from './pmem-back.ts';
import {bytesOf, pmemOption} from './pmem-source.ts';
import {virtioPmemKind, virtioPmemPci} from './virtio-pmem.ts';

const options = {
	memory: {
		type: pmemOption,
		example: {kind: 'memory', bytes: 2 ** 21},
		host: true,
		help: 'what is in it: a path, or file:PATH, with ;private behind, or mem:LEN; a multiple of 2M, up to 4G',
	},
} as const satisfies OptionTable;

/** Persistent memory as machines have it on PCI Express. */
export const virtioPmemType = deviceType({
	...virtioPmemPci,
	kind: virtioPmemKind,
	summary: 'Persistent memory: a file that the guest maps',
	options,
	flags: virtioPmemFlags,
	configure: ({memory}): VirtioPmemConfig => ({source: memory, bytes: bytesOf(memory)}),
});
