import {deviceType, type HostReport} from '#devices/device-type';
import {diskReport, mostTimeout} from '#devices/storage/backend';
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
	timeout: {
		type: 'number',
		min: 0,
		max: mostTimeout,
		default: 0,
		example: 60,
		host: true,
		help: 'seconds after which a flush that the host does not answer has failed; 0 for none',
	},
} as const satisfies OptionTable;

/** Persistent memory as machines have it on PCI Express. */
export const virtioPmemType = deviceType({
	...virtioPmemPci,
	kind: virtioPmemKind,
	summary: 'Persistent memory: a file that the guest maps',
	options,
	flags: virtioPmemFlags,
	report: (_config, memory: SharedArrayBuffer): HostReport => diskReport([{disk: 0, offset: 0}], memory, 1),
	configure: ({memory, timeout}): VirtioPmemConfig => ({source: memory, bytes: bytesOf(memory), timeout}),
});
