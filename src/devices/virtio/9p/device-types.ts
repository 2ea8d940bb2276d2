import {deviceType} from '#devices/device-type';
import {type FolderSource, folderOptionTable, folderSource, openFolder} from '#devices/folder/source';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import type {OptionTable} from '#support/options';
import {virtio9pFlags} from './flags.ts';
import {virtio9pKind} from './handle.ts';
import {type Virtio9pConfig, virtio9pOver} from './virtio-9p.ts';

const devices = virtio9pOver<FolderSource>(openFolder);

const {folder, readOnly, owner, submounts} = folderOptionTable;
const options = {
	tag: {type: 'text', example: 'host', help: 'by which the guest mounts it: 1 to 255 bytes'},
	folder,
	readOnly,
	owner,
	submounts,
} as const satisfies OptionTable;
/** What 9P2000.L has not, or leaves to the client. */
const fixed = {cache: 'never', xattrs: false, locks: false} as const;

const summary = 'A folder of the host in the guest (9p)';

/** Shared folders by 9P as machines have them on PCI Express. */
export const virtio9pPciType = deviceType({
	...devices.pci,
	kind: virtio9pKind,
	summary,
	options,
	flags: virtio9pFlags,
	configure: ({tag, ...given}): Virtio9pConfig<FolderSource> => ({tag, folder: folderSource({...fixed, ...given})}),
});

/** The same on MMIO. */
export const virtio9pMmioType = deviceType({
	...devices.mmio,
	kind: `${virtio9pKind}-mmio`,
	summary: `${summary}, on MMIO`,
	options: {...options, ...mmioOptions},
	configure: ({tag, base, irq, ...given}): OnMmio<Virtio9pConfig<FolderSource>> => ({
		tag,
		folder: folderSource({...fixed, ...given}),
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});
