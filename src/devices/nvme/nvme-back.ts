import type {BackServices, DeviceBack} from '#devices/device';
import type {OpenDisk} from '#devices/storage/backend';
import type {Controller} from './controller.ts';
import type {NvmeConfig} from './handle.ts';
import {Namespaces} from './namespaces.ts';
import {NvmeWorker} from './nvme-worker.ts';

/** One worker's part of a controller: opens the disks, and then serves queues over them. */
export class NvmeBack implements DeviceBack {
	readonly #config: NvmeConfig;
	readonly #controller: Controller;
	readonly #services: BackServices<'pci'>;
	readonly #openDisk: OpenDisk;
	#opening: Promise<Namespaces> | undefined;
	#opened: NvmeWorker | undefined;

	constructor(config: NvmeConfig, controller: Controller, services: BackServices<'pci'>, openDisk: OpenDisk) {
		this.#config = config;
		this.#controller = controller;
		this.#services = services;
		this.#openDisk = openDisk;
	}

	async open(): Promise<void> {
		const {reactor, worker, hostMemory, noticed} = this.#services;
		const host = {reactor, worker, memory: hostMemory as SharedArrayBuffer, offset: 0, noticed};
		this.#opening = Namespaces.open(this.#config, this.#controller.state, host, this.#openDisk);
		this.#opened = new NvmeWorker(this.#config, this.#controller, this.#services, await this.#opening);
	}

	async reconfigure(config: NvmeConfig): Promise<void> {
		await (await this.#opening)?.reconfigure(config);
		this.#opened?.follow(config);
	}

	start(): void {
		this.#worker.start();
	}

	async stop(isReset = false): Promise<void> {
		await this.#opened?.stop(isReset);
	}

	inFlight(): string | undefined {
		return this.#opened?.inFlight();
	}

	notified(): void {
		this.#worker.notified();
	}

	queueReady(queue: number): boolean {
		return this.#worker.queueReady(queue);
	}

	/** What opening was refused with is told by {@link open}. */
	async dispose(): Promise<void> {
		const opened = await this.#opening?.catch(() => undefined);
		await opened?.close();
	}

	get #worker(): NvmeWorker {
		return this.#opened as NvmeWorker;
	}
}
