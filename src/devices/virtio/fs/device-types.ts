import {deviceType} from '#devices/device-type';
import {type FolderSource, folderOptionTable, folderSource, openFolder} from '#devices/folder/source';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {windowSize} from './file-window.ts';
import {virtioFsFlags} from './flags.ts';
import {type VirtioFsConfig, virtioFsKind} from './handle.ts';
import {virtioFsOver} from './virtio-fs.ts';

const devices = virtioFsOver<FolderSource>(openFolder, ({options: {cache}}) => cache);

const options = {
	tag: {type: 'text', example: 'host', help: 'by which the guest mounts it: 1 to 36 bytes'},
	...folderOptionTable,
} as const satisfies OptionTable;

const summary = 'A folder of the host in the guest (virtio-fs)';

/** Shared folders as machines have them on PCI Express. */
export const virtioFsPciType = deviceType({
	...devices.pci,
	kind: virtioFsKind,
	summary,
	options: {
		...options,
		dax: {
			type: windowSize,
			default: 0,
			example: 2 ** 22,
			help: 'memory where the guest has files mapped without a copy (mount -o dax=always): a multiple of 2M, up to 4G',
		},
	},
	flags: virtioFsFlags,
	configure: ({tag, dax, ...folder}): VirtioFsConfig<FolderSource> => ({
		tag,
		folder: folderSource(folder),
		windowBytes: dax,
	}),
});

/** The same on MMIO. */
export const virtioFsMmioType = deviceType({
	...devices.mmio,
	kind: `${virtioFsKind}-mmio`,
	summary: `${summary}, on MMIO`,
	options: {...options, ...mmioOptions},
	configure: ({tag, base, irq, ...folder}): OnMmio<VirtioFsConfig<FolderSource>> => ({
		tag,
		folder: folderSource(folder),
		// There is no shared memory on MMIO.
		windowBytes: 0,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
