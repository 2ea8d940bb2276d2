import type {LabelExpression} from './operands.ts';

/** A field of an item that is filled in once every label has an address. */
export interface Fixup {
	/** Byte offset of the field in its item. */
	readonly offset: number;
	readonly size: 1 | 2 | 4 | 8;
	/** `relative` counts from the end of the instruction, as jumps and RIP-relative operands do. */
	readonly kind: 'absolute' | 'relative';
	readonly expression: LabelExpression;
}

/** A fixup in an item of several instructions. */
interface PlacedFixup extends Fixup {
	/** Offset in the item that a `relative` fixup counts from. */
	readonly end: number;
}

/** Instructions and data between two labels or jumps. */
interface BytesItem {
	readonly kind: 'bytes';
	readonly bytes: number[];
	readonly fixups: PlacedFixup[];
}

/** Data that came as one array. */
interface BlockItem {
	readonly kind: 'block';
	readonly bytes: Uint8Array;
}

/** A jump that is two bytes long until its target turns out to be too far away. */
interface JumpItem {
	readonly kind: 'jump';
	readonly target: LabelExpression;
	readonly shortOpcode: number;
	readonly nearOpcode: readonly number[];
	readonly nearFieldSize: 2 | 4;
	isNear: boolean;
}

interface AlignItem {
	readonly kind: 'align';
	readonly boundary: number;
	readonly fill: number;
}

type Item = BytesItem | BlockItem | JumpItem | AlignItem;

/** A finished program: its bytes and where its labels are. */
export interface AssembledProgram {
	readonly origin: number;
	readonly bytes: Uint8Array;
	/** Absolute address of every label. */
	readonly labels: ReadonlyMap<string, number>;
}

/** The items of a program in order, its labels, and the layout that gives them addresses. */
export class Program {
	readonly #origin: number;
	readonly #items: Item[] = [];
	/** A label stands before the item with this index. */
	readonly #labels = new Map<string, number>();
	#lastLabel = 0;

	constructor(origin: number) {
		this.#origin = origin;
	}

	addLabel(name: string): void {
		if (this.#labels.has(name)) throw new Error(`Label ${name} is defined twice`);
		this.#labels.set(name, this.#items.length);
		this.#lastLabel = this.#items.length;
	}

	/** Appends an instruction or data. */
	addBytes(bytes: readonly number[], fixups: readonly Fixup[] = []): void {
		const item = this.#openItem();
		const start = item.bytes.length;
		item.bytes.push(...bytes);
		for (const fixup of fixups) {
			item.fixups.push({...fixup, offset: start + fixup.offset, end: item.bytes.length});
		}
	}

	/** Appends a block of any length, which may be changed only before the layout. */
	addBlock(bytes: Uint8Array): void {
		this.#items.push({kind: 'block', bytes});
	}

	/** The last item where it can grow, otherwise a new one: a label must stay at an item's start. */
	#openItem(): BytesItem {
		const last = this.#items.at(-1);
		if (last?.kind === 'bytes' && this.#lastLabel < this.#items.length) return last;
		const item: BytesItem = {kind: 'bytes', bytes: [], fixups: []};
		this.#items.push(item);
		return item;
	}

	addJump(jump: Omit<JumpItem, 'kind' | 'isNear'>): void {
		this.#items.push({kind: 'jump', isNear: false, ...jump});
	}

	addAlignment(boundary: number, fill: number): void {
		this.#items.push({kind: 'align', boundary, fill});
	}

	/** Lays the program out, resolves every reference and returns the bytes. */
	finish(): AssembledProgram {
		let addresses = this.#addresses();
		while (this.#lengthenJumps(addresses)) addresses = this.#addresses();
		const labels = this.#resolvedLabels(addresses);
		const bytes = new Uint8Array((addresses.at(-1) ?? this.#origin) - this.#origin);
		this.#items.forEach((item, index) => {
			const start = addresses[index] ?? 0;
			const length = (addresses[index + 1] ?? 0) - start;
			bytes.set(itemBytes(item, start, length, labels), start - this.#origin);
		});
		return {origin: this.#origin, bytes, labels};
	}

	/** The address of every item, and last the end of the program. */
	#addresses(): readonly number[] {
		const addresses = [this.#origin];
		let address = this.#origin;
		for (const item of this.#items) {
			address += itemLength(item, address);
			addresses.push(address);
		}
		return addresses;
	}

	#resolvedLabels(addresses: readonly number[]): ReadonlyMap<string, number> {
		return new Map([...this.#labels].map(([name, index]) => [name, addresses[index] ?? this.#origin]));
	}

	/** Only ever lengthens, so the layout settles. */
	#lengthenJumps(addresses: readonly number[]): boolean {
		const labels = this.#resolvedLabels(addresses);
		let changed = false;
		this.#items.forEach((item, index) => {
			if (item.kind !== 'jump' || item.isNear) return;
			const distance = evaluate(item.target, labels) - (addresses[index + 1] ?? 0);
			if (distance >= -128 && distance <= 127) return;
			item.isNear = true;
			changed = true;
		});
		return changed;
	}
}

function itemLength(item: Item, address: number): number {
	switch (item.kind) {
		case 'bytes':
		case 'block':
			return item.bytes.length;
		case 'jump':
			return item.isNear ? item.nearOpcode.length + item.nearFieldSize : 2;
		case 'align':
			return (item.boundary - (address % item.boundary)) % item.boundary;
	}
}

function itemBytes(item: Item, start: number, length: number, labels: ReadonlyMap<string, number>): Uint8Array {
	if (item.kind === 'align') return new Uint8Array(length).fill(item.fill);
	if (item.kind === 'block') return item.bytes;
	if (item.kind === 'bytes') return applyFixups(Uint8Array.from(item.bytes), item.fixups, start, labels);
	const opcode = item.isNear ? item.nearOpcode : [item.shortOpcode];
	const size = item.isNear ? item.nearFieldSize : 1;
	const bytes = new Uint8Array(length);
	bytes.set(opcode);
	const fixup: PlacedFixup = {offset: opcode.length, size, kind: 'relative', expression: item.target, end: length};
	return applyFixups(bytes, [fixup], start, labels);
}

function applyFixups(
	bytes: Uint8Array,
	fixups: readonly PlacedFixup[],
	start: number,
	labels: ReadonlyMap<string, number>,
): Uint8Array {
	for (const {offset, size, kind, expression, end} of fixups) {
		const target = evaluate(expression, labels);
		writeInteger(bytes, offset, size, kind === 'relative' ? target - (start + end) : target);
	}
	return bytes;
}

function evaluate({label, add = 0, minus}: LabelExpression, labels: ReadonlyMap<string, number>): number {
	return addressOf(label, labels) + add - (minus === undefined ? 0 : addressOf(minus, labels));
}

function addressOf(label: string, labels: ReadonlyMap<string, number>): number {
	const address = labels.get(label);
	if (address === undefined) throw new Error(`Label ${label} is not defined`);
	return address;
}

/** Writes a little-endian integer; throws when it fits neither as signed nor as unsigned. */
export function writeInteger(bytes: Uint8Array | number[], offset: number, size: number, value: number | bigint): void {
	const limit = 2 ** (size * 8);
	if (value < -limit / 2 || value >= limit) throw new Error(`Value ${value} does not fit ${size} bytes`);
	if (size <= 4) writeSmall(bytes, offset, size, Number(value));
	else {
		const wide = BigInt(value);
		writeSmall(bytes, offset, 4, Number(BigInt.asUintN(32, wide)));
		writeSmall(bytes, offset + 4, size - 4, Number(BigInt.asUintN(32, wide >> 32n)));
	}
}

function writeSmall(bytes: Uint8Array | number[], offset: number, size: number, value: number): void {
	for (let index = 0; index < size; index++) bytes[offset + index] = (value >>> (index * 8)) & 0xff;
}
