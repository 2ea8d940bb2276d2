import {seeded} from '#devices/virtio/testing';
import {
	CreateIn,
	EntryOut,
	InHeader,
	LinkIn,
	MkdirIn,
	Opcode,
	OpenIn,
	RemovemappingIn,
	RemovemappingOne,
	Rename2In,
	SetattrIn,
	SetattrValid,
	SetupmappingIn,
} from '../layout.ts';
import {type FsDriver, named} from './fs-driver.ts';

const [mib, forever] = [2 ** 20, 2n ** 64n - 1n];
/** Values that mean something as nodes, handles, lengths, offsets and flags. */
const words = [0, 1, 2, 3, 4, 7, 16, 40, 255, 4095, 4096, 0x7fff, 0xffff, 0x1_0000, 0x1241ff, 2 ** 31, 2 ** 32 - 1];
const few = Array.from({length: 12}, (_, value) => value);
const names = [
	...['a', 'b', 'sub', 'file', 'link', 'out', 'nowhere', '..', '.', '/', '../outside', '../outside/file'],
	...['x'.repeat(255), 'y'.repeat(300)],
];
/** Those of files that a client may know, and what links may lead to. */
const shortNames = ['a', 'sub', 'file', 'link'];
const targets = ['../outside', '../outside/file', '../outside/sub', '../../outside/sub', '../../outside/file', 'sub'];
const opcodes = [...Object.values(Opcode), 0, 4096, 2 ** 32 - 1];
/** Places in a window of 8 MiB and in a file, and lengths: of pieces of 2 MiB, and beside them. */
const places = [0, 2 * mib, 4 * mib, 6 * mib];
const wrongPlaces = [1, 4096, mib, 8 * mib, 2 ** 32, 2 ** 32 - 2 * mib, 2 ** 53, 2 ** 63];

/** A request that is short. */
export interface Sensible {
	readonly opcode: number;
	readonly node: number;
	readonly body: Uint8Array;
}

/** A client of virtio-fs that asks for anything at any time. */
export class WildClient {
	/** What it was told: answers, of which kinds of errors, and how often nothing. */
	readonly seen = {answers: 0, silent: 0, errors: new Set<number>(), mapped: 0};
	readonly #below: (limit: number) => number;
	readonly #often: readonly number[];

	/** @param often - what it asks for more often than for the rest */
	constructor(seed: number, often: readonly number[] = []) {
		this.#below = seeded(seed);
		this.#often = often;
	}

	/** Asks for so many things. @param mapped - called when a file has been mapped */
	async ask(guest: FsDriver, steps: number, mapped: () => void = () => {}): Promise<void> {
		const known = [1];
		for (let step = 0; step < steps; step++) {
			const opcode = this.#any(this.#often.length > 0 && this.#chance(60) ? this.#often : opcodes);
			const body = this.#body(opcode);
			const isSearch = opcode === Opcode.LOOKUP && this.#chance(60);
			const node = isSearch ? 1 : this.#any(this.#chance(60) ? known : this.#chance(80) ? few : words);
			if (this.#chance(5)) {
				const said = this.#any([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, opcode]);
				await guest.say(said, node, body);
				continue;
			}
			const len = InHeader.size + body.length;
			const header = {
				room: this.#chance(60) ? 65_536 : this.#any([0, 1, 15, 16, 17, 24, 100, 160, 1000, 65_536]),
				len: this.#chance(95) ? len : this.#any([0, 39, len - 1, len + 1, ...words]),
				uid: this.#any([0, 1000, 2 ** 32 - 1]),
				gid: this.#any([0, 1000]),
			};
			const asked = opcode === Opcode.SETLKW ? Opcode.SETLK : opcode;
			const {error, payload} = await guest.ask(asked, node, body, header);
			if (Number.isNaN(error)) this.seen.silent++;
			else {
				this.seen.answers++;
				this.seen.errors.add(error);
			}
			if (error === 0 && opcode === Opcode.LOOKUP && payload.length === EntryOut.size)
				known.push(Number(EntryOut.read(payload).nodeid));
			if (error === 0 && opcode === Opcode.SETUPMAPPING) {
				this.seen.mapped++;
				mapped();
			}
			// Whoever has left comes again.
			if (opcode !== Opcode.DESTROY) continue;
			await guest.init();
			known.splice(1);
		}
	}

	/**
	 * Asks for several things at once that a client with these files may ask for.
	 * @param amid - asked for among them, in this order
	 */
	async burst(guest: FsDriver, known: readonly number[], amid: readonly Sensible[] = []): Promise<void> {
		const requests = Array.from({length: 3 + this.#below(8)}, () => this.#sensible(known));
		let after = 0;
		for (const request of amid) {
			after += this.#below(requests.length - after);
			requests.splice(after++, 0, request);
		}
		for (const [place, {opcode, node, body}] of requests.entries()) guest.put(opcode, node, body, {place, room: 200});
		await guest.answers(requests.length);
		for (const place of requests.keys()) {
			this.seen.answers++;
			this.seen.errors.add(guest.errorAt(place));
		}
	}

	#sensible(known: readonly number[]): Sensible {
		const [node, other] = [this.#any(known), this.#any(known)];
		const [name, newName] = [named(this.#any(shortNames)), named(this.#any(shortNames))];
		const mode = this.#any([0o600, 0o644, 0o777]);
		const request = (opcode: number, ...parts: Uint8Array[]) => ({opcode, node, body: Buffer.concat(parts)});
		const {MODE, SIZE, ATIME_NOW, MTIME_NOW} = SetattrValid;
		const valid = this.#any([MODE, SIZE, SIZE, ATIME_NOW | MTIME_NOW]);
		const requests = [
			() => request(Opcode.LOOKUP, name),
			() => request(Opcode.SETATTR, SetattrIn.encode({valid, mode, size: this.#any([0, 1, 4096])})),
			() => request(Opcode.SYMLINK, name, named(this.#any(targets))),
			() => request(Opcode.RENAME2, Rename2In.encode({newdir: other}), name, newName),
			() => request(Opcode.UNLINK, name),
			() => request(Opcode.RMDIR, name),
			() => request(Opcode.MKDIR, MkdirIn.encode({mode: 0o755}), name),
			() => request(Opcode.LINK, LinkIn.encode({oldnodeid: other}), name),
			() => request(Opcode.CREATE, CreateIn.encode({flags: this.#any([1, 2, 0o102, 0o1102]), mode}), name),
			() => request(Opcode.OPEN, OpenIn.encode({flags: this.#any([0, 1, 2, 0o1002])})),
		];
		return this.#any(requests)();
	}

	#body(opcode: number): Buffer {
		if (opcode === Opcode.LOOKUP && this.#chance(50)) return Buffer.from(`${this.#any(names)}\0`);
		if (opcode === Opcode.SETUPMAPPING && this.#chance(90))
			return Buffer.from(
				SetupmappingIn.encode({
					fh: forever,
					foffset: this.#place(),
					len: this.#length(),
					flags: BigInt(this.#below(4)),
					moffset: this.#place(),
				}),
			);
		if (opcode === Opcode.REMOVEMAPPING && this.#chance(90)) {
			const count = this.#below(3);
			const pieces = Array.from({length: count}, () =>
				RemovemappingOne.encode({moffset: this.#place(), len: this.#length()}),
			);
			return Buffer.concat([RemovemappingIn.encode({count: this.#chance(90) ? count : this.#any(words)}), ...pieces]);
		}
		return Buffer.concat(Array.from({length: this.#below(14)}, () => this.#piece()));
	}

	#place(): number {
		return this.#any(this.#chance(93) ? places : wrongPlaces);
	}

	#length(): number {
		return this.#chance(80) ? this.#any(places.slice(1, 3)) : this.#place();
	}

	#piece(): Buffer {
		if (!this.#chance(70)) return Buffer.from(`${this.#any(names)}${this.#chance(90) ? '\0' : ''}`);
		const bytes = Buffer.alloc(this.#any([4, 8]));
		bytes.writeUInt32LE(this.#chance(80) ? this.#below(8) : this.#any(words));
		return bytes;
	}

	#chance(percent: number): boolean {
		return this.#below(100) < percent;
	}

	#any<T>(values: readonly T[]): T {
		return values[this.#below(values.length)] as T;
	}
}
