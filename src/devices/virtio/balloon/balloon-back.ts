import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import type {Timer} from '#support/reactor';
import {array, type FieldsView, f64, u32, wire} from '#support/wire';
import {balloonPage, type VirtioBalloonConfig} from './handle.ts';
import {BalloonConfig, StatisticEntry, statistics} from './layout.ts';

/** Numbers of the features (virtio 1.2, 5.5.3). */
export const balloonFeatures = {statistics: 1, deflateOnOom: 2, pagePoison: 4, reporting: 5} as const;
export type BalloonFeature = keyof typeof balloonFeatures;

const [inflateQueue, deflateQueue] = [0, 1];
/** Most pages of one request, and bytes of one report: the rest of a longer one is left to the guest. */
const [mostPages, mostReported] = [2 ** 14, 2 ** 28];
const mostEntries = 64;
/** Pages are as good as none to a device that may be asked to give many back in one turn: one costs as much as so many bytes moved. */
const pageCost = 1024;

export const BalloonState = wire('virtio-balloon', {
	/** Pages that the machine's owner asks for, and 1 more; 0 for those of the configuration. */
	target: f64,
	/** Bytes that the host has taken of the balloon and of reports, and of what it was given and has not. */
	inflatedBytes: f64,
	deflatedBytes: f64,
	reportedBytes: f64,
	keptBytes: f64,
	/** By tag, as the guest has said last; and how often it has. */
	statistics: array(f64, statistics.length),
	statisticsCount: u32,
});
type State = FieldsView<typeof BalloonState.fields>;

/** Pages that the guest is asked for. */
export const targetPages = ({target}: State, config: VirtioBalloonConfig): number =>
	target === 0 ? Math.floor(config.target / balloonPage) : Math.min(2 ** 32 - 1, target - 1);

/** Gives memory of the guest's back to the host. */
export class BalloonBack implements VirtioBack {
	readonly #config: VirtioBalloonConfig;
	readonly #state: State;
	readonly #services: VirtioServices<BalloonFeature>;
	/** The guest's buffer for statistics, which it gets back when they are wanted anew. */
	#held: {readonly queue: VirtQueue; readonly chain: Chain} | undefined;
	#timer: Timer | undefined;
	#isRunning = false;

	constructor(config: VirtioBalloonConfig, state: State, services: VirtioServices<BalloonFeature>) {
		this.#config = config;
		this.#state = state;
		this.#services = services;
	}

	start(): void {
		this.#isRunning = true;
		this.notified();
		this.#wait();
	}

	async stop(isReset = false): Promise<void> {
		this.#isRunning = false;
		this.#timer?.cancel();
		this.#timer = undefined;
		if (isReset) this.#held?.queue.complete(this.#held.chain, 0);
		else this.#held?.queue.putBack(this.#held.chain);
		this.#held = undefined;
	}

	/** Shows the guest what it is asked for. */
	notified(): void {
		if (!this.#isRunning) return;
		const pages = targetPages(this.#state, this.#config);
		if (BalloonConfig.read(this.#services.config).pages === pages) return;
		const bytes = new Uint8Array(4);
		new DataView(bytes.buffer).setUint32(0, pages, true);
		this.#services.changeConfig(BalloonConfig.offset('pages'), bytes);
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index === inflateQueue) this.#inflate(queue);
		else if (index === deflateQueue) this.#deflate(queue);
		// A driver has no queue for what it has not agreed on, and those behind it are nearer.
		else if (index === 2 && this.#services.has('statistics')) this.#take(queue);
		else this.#takeReports(queue);
	}

	queueReset(queue: VirtQueue): void {
		if (this.#held?.queue !== queue) return;
		queue.complete(this.#held.chain, 0);
		this.#held = undefined;
	}

	dispose(): void {
		this.#timer?.cancel();
	}

	#inflate(queue: VirtQueue): void {
		let [taken, kept] = [0, 0];
		this.#eachRequest(queue, (pages) => {
			eachPageRun(pages, (gpa, length) => {
				if (this.#services.memory.discard(gpa, length, 'anything')) taken += length;
				else kept += length;
			});
		});
		this.#services.locked(() => {
			this.#state.inflatedBytes += taken;
			this.#state.keptBytes += kept;
		});
	}

	/** Pages that are touched again come by themselves. */
	#deflate(queue: VirtQueue): void {
		let bytes = 0;
		this.#eachRequest(queue, (pages) => {
			bytes += pages.length * balloonPage;
		});
		this.#services.locked(() => {
			this.#state.deflatedBytes += bytes;
		});
	}

	#eachRequest(queue: VirtQueue, visit: (pages: Uint32Array) => void): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const count = Math.min(Math.floor(chain.readable / 4), mostPages);
			const pages = new Uint32Array(count);
			if (chain.read(0, new Uint8Array(pages.buffer))) visit(pages);
			queue.spend(count * pageCost);
			queue.complete(chain, 0);
		}
	}

	#takeReports(queue: VirtQueue): void {
		let [taken, kept] = [0, 0];
		const {poison} = BalloonConfig.read(this.#services.config);
		// The guest finds in such pages what it has said, and what is given back is zero (virtio 1.2, 5.5.6.6).
		const isZero = !this.#services.has('pagePoison') || poison === 0;
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			const bytes = isZero ? chain.discard(mostReported) : 0;
			taken += bytes;
			kept += Math.max(0, chain.writable - bytes);
			queue.complete(chain, 0);
		}
		this.#services.locked(() => {
			this.#state.reportedBytes += taken;
			this.#state.keptBytes += kept;
		});
	}

	/** Takes statistics, and keeps the buffer until others are wanted. */
	#take(queue: VirtQueue): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			// A driver has one. Of more the last is kept: it alone can be put back.
			this.#held?.queue.complete(this.#held.chain, 0);
			this.#held = {queue, chain};
			this.#note(chain);
		}
		this.#wait();
	}

	#note(chain: Chain): void {
		const count = Math.min(Math.floor(chain.readable / StatisticEntry.size), mostEntries);
		const bytes = new Uint8Array(count * StatisticEntry.size);
		if (!chain.read(0, bytes)) return;
		this.#services.locked(() => {
			for (let at = 0; at < bytes.length; at += StatisticEntry.size) {
				const {tag, value} = StatisticEntry.read(bytes.subarray(at, at + StatisticEntry.size));
				if (tag < statistics.length) this.#state.statistics[tag] = value;
			}
			this.#state.statisticsCount = (this.#state.statisticsCount + 1) >>> 0;
		});
	}

	#wait(): void {
		const {statistics: seconds} = this.#config;
		if (seconds === 0 || this.#timer !== undefined || this.#held === undefined) return;
		this.#timer = this.#services.reactor.after(seconds * 1e9, () => {
			this.#timer = undefined;
			const held = this.#held;
			this.#held = undefined;
			held?.queue.complete(held.chain, 0);
		});
	}
}

/**
 * Calls `visit` for each range that some of the guest's pages make together: drivers list them one by one, and seldom in their order.
 * @param numbers - of the pages; their order is lost
 */
function eachPageRun(numbers: Uint32Array, visit: (gpa: number, length: number) => void): void {
	numbers.sort();
	for (let first = 0; first < numbers.length; ) {
		let last = first;
		// One that is there twice does not make the range longer.
		while (last + 1 < numbers.length && (numbers[last + 1] as number) - (numbers[last] as number) <= 1) last++;
		const [low, high] = [numbers[first] as number, numbers[last] as number];
		visit(low * balloonPage, (high - low + 1) * balloonPage);
		first = last + 1;
	}
}
