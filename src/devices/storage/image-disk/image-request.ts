import {DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import {type Allocation, type MappedRun, RunKind, type RunUse} from '#devices/storage/image';
import type {ImageLayer} from './image-layer.ts';
import type {FilePlace, PartRequest} from './part-request.ts';
import type {RangeWork} from './range-turns.ts';

/** Parts of a request that are under way together: a disk in small pieces would have thousands. */
const mostParts = 16;

/** What a disk does for its requests. */
export interface ImageRequestOwner {
	readonly top: ImageLayer;
	/** Filled by whoever looks, and read at once. */
	readonly run: MappedRun;
	/** Nothing more is begun. */
	readonly isClosing: boolean;
	/** A part with room for so many vectors. */
	takePart(vectors: number): PartRequest;
	givePart(part: PartRequest): void;
	/** What an exception means to whoever asked. */
	failed(cause: unknown): DiskError;
	/** See `Disk.fault`. */
	fault: string | undefined;
	/** Has {@link ImageRequest.flushed} called when all that is done by now is durable. */
	flush(request: ImageRequest): void;
	ended(request: ImageRequest, error: DiskError): void;
}

/** One request of a disk while it is under way: part by part, where the image's tables are not in memory with a wait for them. */
export class ImageRequest implements RangeWork {
	readonly #owner: ImageRequestOwner;
	#request: DiskRequest | undefined;
	start = 0;
	end = 0;
	clears = false;
	/** The first byte that nothing has been done about. */
	#at = 0;
	#parts = 0;
	/** A promise goes on with it. */
	#isWaiting = false;
	#error: DiskError = DiskError.NONE;
	/** Where bytes from {@link #at} up to the limit are looked for: those above do not have them. */
	#from: ImageLayer;
	#limit = 0;
	#allocation: Allocation | undefined;
	#nextTarget = 0;

	constructor(owner: ImageRequestOwner) {
		this.#owner = owner;
		this.#from = owner.top;
	}

	get request(): DiskRequest {
		return this.#request as DiskRequest;
	}

	of(request: DiskRequest): this {
		const {operation, offset, length} = request;
		this.#request = request;
		this.start = this.#at = offset;
		this.end = offset + length;
		this.clears = operation === DiskOperation.DISCARD || operation === DiskOperation.WRITE_ZEROES;
		this.#error = DiskError.NONE;
		this.#lookFromTop();
		return this;
	}

	begin(): void {
		if (this.clears) this.#wait(this.#clear());
		else this.#advance();
	}

	partEnded(part: PartRequest, error: DiskError): void {
		this.#owner.givePart(part);
		// The host has said no more than that.
		if (error !== DiskError.NONE) this.#owner.fault = undefined;
		this.#fail(error);
		this.#parts--;
		if (!this.#isWaiting) this.#advance();
	}

	/** The data are durable, or not. */
	flushed(error: DiskError): void {
		this.#owner.ended(this, error);
	}

	#fail(error: DiskError): void {
		if (this.#error === DiskError.NONE) this.#error = error;
	}

	/** Begins as many parts as may be, and ends the request behind the last. */
	#advance(): void {
		if (this.#owner.isClosing && this.#at < this.end) this.#fail(DiskError.IO);
		// One that ends at once is not the last.
		this.#parts++;
		while (!this.#isWaiting && this.#at < this.end && this.#error === DiskError.NONE && this.#parts <= mostParts) {
			if (this.request.operation === DiskOperation.READ) this.#readNext();
			else this.#writeNext();
		}
		this.#parts--;
		if (this.#parts > 0 || this.#isWaiting) return;
		if (this.#allocation === undefined) this.#moved();
		else this.#wait(this.#finish(this.#allocation));
	}

	#moved(): void {
		const {operation, isDurable} = this.request;
		if (this.#error === DiskError.NONE && operation !== DiskOperation.READ && isDurable) this.#owner.flush(this);
		else this.#owner.ended(this, this.#error);
	}

	/** Goes on when a promise has done something. What it is rejected with is the request's error. */
	#wait(promise: Promise<void>): void {
		this.#isWaiting = true;
		promise
			.catch((cause) => this.#fail(this.#owner.failed(cause)))
			.then(() => {
				this.#isWaiting = false;
				this.#advance();
			});
	}

	#readNext(): void {
		const {run} = this.#owner;
		let layer: ImageLayer | undefined = this.#from;
		let length = this.#limit - this.#at;
		for (; layer !== undefined && this.#at < layer.image.sizeBytes; layer = layer.below) {
			length = Math.min(length, layer.image.sizeBytes - this.#at);
			if (!this.#find(layer, length, 'read')) {
				this.#wait(this.#look(layer, length));
				return;
			}
			length = run.length;
			if (run.kind === RunKind.BELOW) continue;
			if (run.kind === RunKind.DATA) this.#move(layer, run, length);
			else this.#zero(length);
			return;
		}
		this.#zero(length);
	}

	#find({image}: ImageLayer, length: number, use: RunUse): boolean {
		const {run} = this.#owner;
		run.offset = this.#at;
		return image.find(run, length, use);
	}

	/** Looks where an image has its bytes, when it has loaded what says so. */
	async #look(layer: ImageLayer, length: number): Promise<void> {
		const [extent] = await layer.image.map(this.#at, length);
		// What moves data takes no more.
		if (this.#owner.isClosing) return;
		if (extent?.offset !== this.#at) throw new RangeError(`nothing says where ${this.#at} is`);
		switch (extent.kind) {
			case 'data':
				this.#move(layer, extent, extent.length);
				return;
			case 'zero':
				this.#zero(extent.length);
				return;
			case 'compressed': {
				const bytes = new Uint8Array(extent.length);
				await extent.read(bytes);
				this.request.vectors.copyIn(this.#at - this.start, bytes, 0, bytes.length);
				this.#skip(bytes.length);
				return;
			}
			case 'below':
				if (layer.below === undefined) {
					this.#zero(extent.length);
					return;
				}
				this.#from = layer.below;
				this.#limit = this.#at + extent.length;
		}
	}

	#writeNext(): void {
		const {top, run} = this.#owner;
		const target = this.#allocation?.targets[this.#nextTarget];
		if (target !== undefined) {
			this.#nextTarget++;
			this.#move(top, target, target.length);
		} else if (this.#find(top, this.end - this.#at, 'write')) this.#move(top, run, run.length);
		else this.#wait(this.#allocate());
	}

	/** Makes room for all that is left. */
	async #allocate(): Promise<void> {
		this.#allocation = await this.#owner.top.image.allocate(this.#at, this.end - this.#at);
		this.#nextTarget = 0;
	}

	async #finish(allocation: Allocation): Promise<void> {
		this.#allocation = undefined;
		if (this.#error === DiskError.NONE) await allocation.finish();
		else await allocation.abandon();
	}

	async #clear(): Promise<void> {
		const {operation, offset, length} = this.request;
		const {image} = this.#owner.top;
		this.#skip(length);
		if (operation === DiskOperation.DISCARD) await image.discard(offset, length);
		else await image.zero(offset, length);
	}

	/** Moves the next bytes between memory and a file. */
	#move(layer: ImageLayer, place: FilePlace, length: number): void {
		const {request} = this;
		const part = this.#owner.takePart(request.vectors.count);
		part.of(this, request, this.#at - this.start, place, length);
		this.#parts++;
		this.#skip(length);
		layer.submit(part);
	}

	/** The next bytes are zeros. */
	#zero(length: number): void {
		this.request.vectors.fill(this.#at - this.start, length, 0);
		this.#skip(length);
	}

	#skip(length: number): void {
		this.#at += length;
		this.#lookFromTop();
	}

	#lookFromTop(): void {
		this.#from = this.#owner.top;
		this.#limit = this.end;
	}
}
