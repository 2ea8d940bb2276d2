import {Capture, CaptureCounters} from '#devices/network/capture';
import type {Endpoint, EndpointHost, Nic} from '#devices/network/endpoint';
import {NicBuckets, RateLimit} from '#devices/network/limit';
import type {OpenEndpoint} from '#devices/network/source';
import type {VirtioBack} from '#devices/virtio/device';
import type {VirtQueue} from '#devices/virtio/queue';
import {ControlQueue} from './control-queue.ts';
import {captureOffset, endpointOffset, limitsOffset, NetCounters} from './counters.ts';
import type {NetServices} from './features.ts';
import {macBytes, type VirtioNetConfig} from './handle.ts';
import {NetConfig, NetStatus} from './layout.ts';
import {Receiver, receiveQueue} from './receiver.ts';
import {forgetDriver, macLength, mostRemembered, type NetStateView} from './state.ts';
import {Steering} from './steering.ts';
import {Transmitter, transmitQueue} from './transmitter.ts';

const statusOffset = NetConfig.offset('status');
const macOffset = NetConfig.offset('mac');

/** A NIC's queues, and what carries its frames. */
export class NetBack implements VirtioBack {
	readonly #config: VirtioNetConfig;
	readonly #state: NetStateView;
	readonly #services: NetServices;
	readonly #receiver: Receiver;
	readonly #transmitter: Transmitter;
	readonly #control: ControlQueue;
	readonly #openEndpoint: OpenEndpoint;
	#opening: Promise<Endpoint> | undefined;
	#endpoint: Endpoint | undefined;
	#isRunning = false;
	/** It has been started once: what a driver has said by then is of before a snapshot. */
	#isKnown = false;
	#hasCarrier = true;
	/** The driver's of before have gone: the address is what it was at power-on. */
	#isReset = false;

	constructor(config: VirtioNetConfig, state: NetStateView, services: NetServices, open: OpenEndpoint) {
		this.#openEndpoint = open;
		this.#config = config;
		this.#state = state;
		this.#services = services;
		const {queues: pairs} = config;
		const counters = NetCounters.on(services.hostMemory as SharedArrayBuffer);
		const steering = new Steering(() => (services.has('pairs') ? Math.min(state.pairs, pairs) : 1));
		this.#receiver = new Receiver({services, state, counters, steering});
		this.#transmitter = new Transmitter({
			services,
			state,
			counters,
			steering,
			endpoint: () => this.#endpoint as Endpoint,
		});
		this.#control = new ControlQueue({
			state,
			services,
			pairs,
			addressChanged: (mac) => services.changeConfig(macOffset, mac),
			acknowledged: (bits) => this.#setStatus(this.#status & ~bits),
		});
	}

	async open(): Promise<void> {
		const {reactor, hostMemory, track, program, noticed, commonMemory: common} = this.#services;
		const memory = hostMemory as SharedArrayBuffer;
		const host = {reactor, track, program, noticed, memory, offset: endpointOffset, common};
		this.#opening = this.#openWith(host, memory);
		this.#endpoint = await this.#opening;
	}

	async #openWith(host: EndpointHost, memory: SharedArrayBuffer): Promise<Endpoint> {
		const {endpoint: source, capture: path, limits} = this.#config;
		const limit = new RateLimit(limits, NicBuckets.on(memory, limitsOffset), host.reactor);
		const own = this.#nic();
		const nic = limit.seen(own, () => this.#endpoint);
		return limit.wrap(await this.#openCaptured(source, path, nic, host), own);
	}

	async #openCaptured(
		source: VirtioNetConfig['endpoint'],
		path: string | undefined,
		nic: Nic,
		host: EndpointHost,
	): Promise<Endpoint> {
		if (path === undefined) return this.#openEndpoint(source, nic, host);
		const {together: files} = this.#services;
		const capture = await Capture.open(
			path,
			{track: host.track, files, mac: nic.mac},
			CaptureCounters.on(host.memory, captureOffset),
		);
		try {
			return capture.wrap(await this.#openEndpoint(source, capture.seen(nic), host));
		} catch (error) {
			await capture.close();
			throw error;
		}
	}

	start(): void {
		this.#isRunning = true;
		this.#services.locked(() => {
			if (this.#state.mac.every((byte) => byte === 0)) this.#state.mac.set(macBytes(this.#config.mac) as Uint8Array);
		});
		if (this.#isReset) {
			this.#services.changeConfig(macOffset, this.#state.mac.slice());
			this.#setStatus(this.#status & ~NetStatus.ANNOUNCE);
			this.#isReset = false;
		}
		this.#tellLink();
		// The network is to learn where the guest is now.
		const isRestored = !this.#isKnown && this.#services.queue(receiveQueue(0)) !== undefined;
		this.#isKnown = true;
		if (isRestored && this.#services.has('announce') && this.#services.has('status'))
			this.#setStatus(this.#status | NetStatus.ANNOUNCE);
		this.#endpoint?.start();
		const {remembered, rememberedBytes} = this.#state;
		if (isRestored && rememberedBytes > 0)
			this.#endpoint?.recall?.(remembered.slice(0, Math.min(rememberedBytes, mostRemembered)));
	}

	async stop(): Promise<void> {
		this.#receiver.tell();
		this.#isRunning = false;
		await this.#endpoint?.stop();
		const remembered = this.#endpoint?.remember?.(mostRemembered) ?? new Uint8Array();
		this.#services.locked(() => {
			this.#state.remembered.set(remembered);
			this.#state.rememberedBytes = remembered.length;
		});
	}

	inFlight(): string | undefined {
		return this.#endpoint?.inFlight?.();
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index === this.#controlIndex) this.#control.serve(queue);
		else if (index % 2 === 1) this.#transmitter.serve(queue, index >>> 1);
		else if (this.#receiver.isWaiting) {
			this.#receiver.isWaiting = false;
			this.#endpoint?.room();
		}
	}

	/** The owner has taken the link down, or up. */
	notified(): void {
		if (this.#isRunning) this.#tellLink();
	}

	/** The platform gives the driver's registers their values. */
	reset(): void {
		forgetDriver(this.#state);
		this.#isReset = true;
	}

	async dispose(): Promise<void> {
		// A machine that goes since something else is not there goes while this is being opened.
		const endpoint = await this.#opening?.catch(() => undefined);
		await endpoint?.dispose();
	}

	/** Behind the queues that the driver knows of (virtio 1.2, 5.1.2). */
	get #controlIndex(): number {
		return this.#services.has('pairs') ? 2 * this.#config.queues : 2;
	}

	get #status(): number {
		const {config} = this.#services;
		return (config[statusOffset] as number) | ((config[statusOffset + 1] as number) << 8);
	}

	#setStatus(status: number): void {
		if (status !== this.#status) this.#services.changeConfig(statusOffset, Uint8Array.of(status & 0xff, status >>> 8));
	}

	#tellLink(): void {
		const isUp = this.#hasCarrier && this.#state.isDown === 0;
		this.#setStatus(isUp ? this.#status | NetStatus.LINK_UP : this.#status & ~NetStatus.LINK_UP);
	}

	/** This NIC, as its endpoint has it. */
	#nic(): Nic {
		return {
			mac: this.#services.config.slice(macOffset, macOffset + macLength),
			mtu: this.#config.mtu,
			pairs: this.#config.queues,
			receive: (frame, pair) => this.#isRunning && this.#receiver.receive(frame, pair),
			room: () => {
				for (let pair = 0; pair < this.#config.queues; pair++) this.#services.serve(transmitQueue(pair));
			},
			carrier: (isUp) => {
				this.#hasCarrier = isUp;
				if (this.#isRunning) this.#tellLink();
			},
		};
	}
}
