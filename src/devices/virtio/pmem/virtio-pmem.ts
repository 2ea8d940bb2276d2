import {shareBytes} from '#devices/storage/backend';
import {type VirtioDevice, virtioPci} from '#devices/virtio/device';
import {
	PmemBack,
	PmemConfig,
	type PmemFeature,
	PmemState,
	pmemFeatures,
	pmemRegion,
	type VirtioPmemConfig,
} from './pmem-back.ts';

/** Names the device in machine descriptions. */
export const virtioPmemKind = 'virtio-pmem';

/** Memory whose content is a file's, and which the driver asks to make durable (virtio 1.3, 5.19). */
const virtioPmem: VirtioDevice<VirtioPmemConfig, typeof PmemState.fields, PmemFeature> = {
	kind: virtioPmemKind,
	id: 27,
	pciClass: 0x00_ff00,
	state: PmemState,
	hostMemory: () => shareBytes(1),
	features: pmemFeatures,
	mostQueues: 1,
	queues: () => [{name: 'requests', size: 64}],
	config: {
		bytes: PmemConfig.size,
		values: ({bytes}) => PmemConfig.encode({size: bytes}),
	},
	sharedMemory: {
		pages: 'mapped',
		regions: ({bytes}) => [{id: pmemRegion, length: bytes}],
		// Linux before 6.9 knows no other place.
		placeAt: PmemConfig.offset('start'),
	},
	back: (config, state, services) => new PmemBack(config, state, services),
};

export const virtioPmemPci = virtioPci(virtioPmem);
