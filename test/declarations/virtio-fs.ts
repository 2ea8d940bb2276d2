import {deviceType} from '#devices/device-type';
import {type VirtioDevice, virtioPci} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {bytes, packed, u32} from '#support/wire';
import {type FileReader, FuseWindow} from './fuse-window.ts';

/** Answers requests of FUSE. */
export interface FuseServer extends FileReader {
	/** Fills in the reply, and tells its length: 0 for requests that have none. */
	serve(request: Uint8Array, reply: Uint8Array): Promise<number>;
}

interface FsConfig {
	readonly tag: string;
	readonly queues: number;
	/** MiB of the DAX window. */
	readonly window: number;
}

const tagBytes = 36;
const FsSpace = packed('virtio_fs_config', {tag: bytes(tagBytes), queues: u32}).sized(40, 'virtio 1.2, 5.11.4');
/** All requests of all queues together keep less than 100 MiB. */
const [mostQueues, queueSize, mostBytes] = [4, 32, 2 ** 18];

/** VIRTIO_FS_SHMCAP_ID_CACHE. */
const windowId = 0;
const windowBytes = ({window}: FsConfig) => window * 2 ** 20;

/** Without VIRTIO_FS_F_NOTIFICATION. */
const virtioFs = (server: FuseServer): VirtioDevice<FsConfig, Record<never, never>> => ({
	kind: 'virtio-fs',
	id: 26,
	pciClass: 0x01_8000,
	features: {},
	mostQueues: 1 + mostQueues,
	queues: ({queues}) =>
		Array.from({length: 1 + queues}, (_, index) => ({
			name: index === 0 ? 'hiprio' : `requests-${index}`,
			size: queueSize,
		})),
	config: {
		bytes: FsSpace.size,
		values: ({tag, queues}) => FsSpace.encode({tag: new TextEncoder().encode(tag).subarray(0, tagBytes), queues}),
	},
	sharedMemory: {
		// The guest goes on with what it has mapped.
		pages: 'saved',
		regions: (config) => (config.window === 0 ? [] : [{id: windowId, length: windowBytes(config)}]),
	},
	back(config, _state, {track, sharedMemory}) {
		const memory = sharedMemory(windowId);
		const window = memory && new FuseWindow(memory, windowBytes(config), server);
		const answer = async (queue: VirtQueue, chain: Chain) => {
			const request = new Uint8Array(Math.min(chain.readable, mostBytes));
			const reply = new Uint8Array(Math.min(chain.writable, mostBytes));
			const serve = async () => (await window?.serve(request, reply)) ?? (await server.serve(request, reply));
			const length = chain.read(0, request) ? await serve() : 0;
			queue.complete(chain, chain.write(0, reply, 0, length) ? length : 0);
		};
		return {
			queueReady(queue) {
				for (let chain = queue.next(); chain !== undefined; chain = queue.next())
					track(answer(queue, chain), 'a request of a file');
			},
			reset: () => window?.clear(),
		};
	},
});

/** A folder of the host's (virtio 1.2, 5.11). */
export const virtioFsType = (server: FuseServer) =>
	deviceType({
		...virtioPci(virtioFs(server)),
		kind: 'virtio-fs',
		summary: 'A folder of the host',
		options: {
			tag: {type: 'text', default: 'host', help: 'what the guest mounts it by'},
			queues: {type: 'number', min: 1, max: mostQueues, default: 1, help: 'queues for requests'},
			window: {type: 'number', min: 0, max: 16, default: 1, help: 'MiB of files that the guest maps at a time'},
		},
	});
