import {IoVectors} from '#devices/guest-memory';
import {type DiskError, type DiskOperation, DiskRequest} from '#devices/storage/disk';

/** Who is told that a part of a request has ended. */
interface PartOwner {
	partEnded(part: PartRequest, error: DiskError): void;
}

/** Where bytes are in a file, in what says so: a number beyond 2^31 by itself is an object to V8 where one function gives it to another. */
export interface FilePlace {
	readonly fileOffset: number;
}

/** A part of a request: bytes that lie in one piece in an image's file. */
export class PartRequest extends DiskRequest {
	#owner: PartOwner | undefined;

	/** @param vectors - how many there is room for */
	constructor(vectors: number) {
		super(new IoVectors(vectors));
	}

	/**
	 * @param start - where its memory begins in that of the request, which has no more vectors than this has room for
	 */
	of(owner: PartOwner, request: DiskRequest, start: number, {fileOffset}: FilePlace, length: number): this {
		this.#owner = owner;
		this.operation = request.operation as DiskOperation;
		this.offset = fileOffset;
		this.length = length;
		this.vectors.addPart(request.vectors, start, length);
		return this;
	}

	override done(error: DiskError): void {
		this.vectors.release();
		this.#owner?.partEnded(this, error);
	}
}
