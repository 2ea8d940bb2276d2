import type {DeviceCommand} from '#devices/device';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {BalloonBack, type BalloonFeature, BalloonState, balloonFeatures, targetPages} from './balloon-back.ts';
import {balloonPage, mostTarget, type VirtioBalloonConfig, virtioBalloonId, virtioBalloonKind} from './handle.ts';
import {BalloonConfig, statistics} from './layout.ts';

/** What the owner of a machine asks for: that the guest gives so much memory back. */
export interface BalloonCommand extends DeviceCommand {
	readonly bytes: number;
}
const targetKind = 'balloon-target';

/** Asks a guest for memory. @param bytes - all that it is to give, of which part pages count for nothing; 0 has it take all back */
export const balloonTarget = (bytes: number): BalloonCommand => ({kind: targetKind, bytes});

/** Memory that the guest gives back to the host when it is asked, and reports when it does not use it (virtio 1.2, 5.5). */
const virtioBalloon: VirtioDevice<VirtioBalloonConfig, typeof BalloonState.fields, BalloonFeature> = {
	kind: virtioBalloonKind,
	id: virtioBalloonId,
	pciClass: 0x00_ff00,
	state: BalloonState,
	features: balloonFeatures,
	offers: ({statistics: seconds, deflateOnOom, reporting}) => [
		'pagePoison',
		...(seconds > 0 ? (['statistics'] as const) : []),
		...(deflateOnOom ? (['deflateOnOom'] as const) : []),
		...(reporting ? (['reporting'] as const) : []),
	],
	mostQueues: 4,
	queues: () => ['inflate', 'deflate', 'statistics', 'reporting'].map((name) => ({name, size: 128})),
	config: {
		bytes: BalloonConfig.size,
		values: ({target}) => BalloonConfig.encode({pages: Math.floor(target / balloonPage)}),
		written: [
			{offset: BalloonConfig.offset('actual'), size: 4, most: 2 ** 32 - 1},
			{offset: BalloonConfig.offset('poison'), size: 4, needs: 'pagePoison', most: 2 ** 32 - 1},
		],
	},
	control(command, state) {
		const {kind, bytes} = command as BalloonCommand;
		if (kind !== targetKind || !(bytes >= 0 && bytes <= mostTarget)) return false;
		state.target = Math.floor(bytes / balloonPage) + 1;
		return true;
	},
	words(state, config) {
		const {actual} = BalloonConfig.read((state as unknown as {'virtio.config': Uint8Array})['virtio.config']);
		const said = statistics.map((name, tag) => `${name} ${state.statistics[tag]}`).join(', ');
		return {
			balloon: `${actual * balloonPage} bytes given of ${targetPages(state, config) * balloonPage} asked for`,
			statistics: state.statisticsCount === 0 ? 'none yet' : said,
		};
	},
	back: (config, state, services) => new BalloonBack(config, state, services),
};

export const virtioBalloonPci = virtioPci(virtioBalloon);
export const virtioBalloonMmio = virtioMmio(virtioBalloon);
