import {IoVectors} from '#devices/guest-memory';
import {type DiskError, type DiskOperation, DiskRequest} from '#devices/storage/disk';

/** Who is told that a part of a request has ended. */
interface PartOwner {
	partEnded(part: PartRequest, error: DiskError): void;
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
	 * @param fileOffset - where its bytes are in the file
	 */
	of(owner: PartOwner, request: DiskRequest, start: number, fileOffset: number, length: number): this {
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
