import {
	type FunctionBuilder,
	type Int,
	i32,
	type Memory,
	type Vector,
	type VectorLocal,
	type Width,
} from '#support/wasm';
import {vectorAt} from '#vcpu-worker/software/state';

const bytes = 16;
const registers = {begin: vectorAt(0), end: vectorAt(16)};

const isRegister = (place: number): boolean => place >= registers.begin && place < registers.end;

/** A vector in a local, and the distance of a place from its begin. */
interface Found {
	readonly local: VectorLocal;
	readonly distance: number;
}

/**
 * Halves of YMM registers in locals of a translation, each filled where the translation uses it; and for a while those vectors that an instruction
 * has between its steps.
 */
export class LocalVectors {
	readonly #f: FunctionBuilder;
	readonly #state: Memory<'i32'>;
	/** By the places of vectors. */
	readonly #locals = new Map<number, VectorLocal>();
	readonly #written = new Set<number>();
	/** Places of those vectors between steps that are in locals now. */
	readonly #passing = new Set<number>();

	constructor(f: FunctionBuilder, state: Memory<'i32'>) {
		this.#f = f;
		this.#state = state;
	}

	/** Places of vectors between steps, which can be set back. */
	get passing(): readonly number[] {
		return [...this.#passing];
	}

	set passing(places: readonly number[]) {
		this.#passing.clear();
		for (const place of places) this.#passing.add(place);
	}

	fill(): void {
		for (const [place, local] of this.#locals) if (isRegister(place)) this.#load(place, local);
	}

	writeBack(): void {
		for (const place of this.#written) this.store(place);
	}

	/** The vector in a local that a place is within. */
	find(place: number): Found | undefined {
		if (isRegister(place)) {
			const distance = (place - registers.begin) % bytes;
			return {local: this.#local(place - distance), distance};
		}
		for (const at of this.#passing)
			if (place >= at && place < at + bytes) return {local: this.#local(at), distance: place - at};
		return undefined;
	}

	/** Part of what is in a local, filled up with zeros; undefined where it is no lane of that. */
	readLane(width: Width, place: number): Int | undefined {
		const found = this.find(place);
		if (found === undefined || (found.distance * 8) % width !== 0) return undefined;
		return found.local.lane(width, (found.distance * 8) / width);
	}

	/** @returns whether the lane is in a local */
	writeLane(width: Width, place: number, value: Int): boolean {
		const found = this.find(place);
		if (found === undefined || (found.distance * 8) % width !== 0) return false;
		this.#f.setVector(found.local, found.local.withLane(width, (found.distance * 8) / width, value));
		this.#note(place - found.distance);
		return true;
	}

	/** 128 bits from a place on; undefined where not all of them are in locals. */
	read(place: number): Vector | undefined {
		const found = this.find(place);
		if (found === undefined || found.distance === 0) return found?.local;
		const next = this.find(place - found.distance + bytes);
		if (next?.distance !== 0) return undefined;
		return found.local.shuffle(
			next.local,
			Array.from({length: bytes}, (_, index) => index + found.distance),
		);
	}

	/** Sets a vector that is in a local. @returns whether it is */
	write(place: number, value: Vector): boolean {
		const found = this.find(place);
		if (found?.distance !== 0) return false;
		this.#f.setVector(found.local, value);
		this.#note(place);
		return true;
	}

	/** Has a vector between steps in a local from now on. */
	pass(place: number, value: Vector): void {
		const local = this.#local(place);
		this.#f.setVector(local, value);
		this.#passing.add(place);
	}

	/** Places of those vectors in locals that have some of these bytes. */
	within(begin: number, end: number): number[] {
		const found = [...this.#passing].filter((place) => place < end && place + bytes > begin);
		for (let at = begin; at < end; at++) if (isRegister(at) && (at - registers.begin) % bytes === 0) found.push(at);
		const first = this.find(begin);
		if (isRegister(begin) && first !== undefined && first.distance > 0) found.push(begin - first.distance);
		return found;
	}

	/** Has memory say what a local does. */
	store(place: number): void {
		this.#f.storeVector(this.#state, i32(0), place, this.#local(place));
	}

	/** Has a local say what memory does. */
	reload(place: number): void {
		this.#load(place, this.#local(place));
		this.#note(place);
	}

	/** A vector between steps is in memory alone from now on. */
	drop(place: number): void {
		this.#passing.delete(place);
	}

	#note(place: number): void {
		if (isRegister(place)) this.#written.add(place);
	}

	#load(place: number, local: VectorLocal): void {
		this.#f.setVector(local, this.#state.loadVector(i32(0), place));
	}

	#local(place: number): VectorLocal {
		let local = this.#locals.get(place);
		if (local === undefined) {
			local = this.#f.lastingVectorLocal();
			this.#locals.set(place, local);
		}
		return local;
	}
}
