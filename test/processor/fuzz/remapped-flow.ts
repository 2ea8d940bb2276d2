import type {Random} from '#test/silicon';
import type {GuestOptions, GuestProcessor} from '../guest-processor.ts';
import {startBytes, tables} from '../raw-code.ts';

const pageBytes = 0x1000;
/** Linear addresses of the pages of code, of the same once more, and of a table that indirect jumps go by. */
const [codeAt, aliasAt, jumpTable] = [0x40_0000, 0x48_0000, 0x2e_0000];
const jumps = 32;
/** A physical address and this is another page, with the same code but for a constant of each block. */
const elsewhere = 0x20_0000;
const entriesAt = tables + 0x3000;
const pages = 6;
const blocksPerPage = 4;
const blocks = pages * blocksPerPage;
const fuel = 60_000;

const end = codeAt + 0x10;
const blockAt = (block: number) =>
	codeAt + Math.floor(block / blocksPerPage) * pageBytes + 0x40 + (block % blocksPerPage) * 0x380;
const functionAt = (page: number) => codeAt + page * pageBytes + 0xf00;
const entryOf = (linear: number) => entriesAt + ((linear - codeAt) / pageBytes) * 8;
/** Place of a constant in each block, and in each function. */
const [blockConstant, functionConstant] = [15, 3];

const dword = (value: number): readonly number[] => [...new Uint8Array(Int32Array.of(value).buffer)];
const [call, jmp, jz, jc] = [[0xe8], [0xe9], [0x0f, 0x84], [0x0f, 0x82]] as const;

/** Bytes of code that know where they are. */
class Code {
	readonly bytes: number[] = [];
	readonly at: number;

	constructor(at: number) {
		this.at = at;
	}

	add(...bytes: readonly number[]): void {
		this.bytes.push(...bytes);
	}

	/** A jump or call to an address. */
	to(opcode: readonly number[], target: number): void {
		const next = this.at + this.bytes.length + opcode.length + 4;
		this.add(...opcode, ...dword(target - next));
	}
}

/** What a block does now and then: code that leaves RCX and RBX alone. */
function rareAction(random: Random, page: number): readonly number[] {
	const another = () => codeAt + ((page + 1 + random.below(pages - 1)) % pages) * pageBytes;
	/** MOV RAX,elsewhere; XOR [entry],RAX for each page. */
	const remap = (...linear: readonly number[]) => [
		...[0x48, 0xb8, ...dword(elsewhere), 0, 0, 0, 0],
		...linear.flatMap((address) => [0x48, 0x31, 0x04, 0x25, ...dword(entryOf(address))]),
	];
	/** ADD BYTE PTR [address],number. */
	const patch = (address: number, number: number) => [0x80, 0x04, 0x25, ...dword(address), number];
	switch (random.below(6)) {
		case 0:
			return patch(blockAt(random.below(blocks)) + blockConstant, 1 + 2 * random.below(50));
		case 1:
		case 2: {
			// The page, or the other one with its code; MOV EDI,address; INVLPG [RDI].
			const linear = another() + (random.oneIn(4) ? aliasAt - codeAt : 0);
			return [...remap(linear), 0xbf, ...dword(linear), 0x0f, 0x01, 0x3f];
		}
		case 3:
			// MOV RAX,CR3; MOV CR3,RAX.
			return [...remap(another(), another()), 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8];
		case 4:
			// MOV EAX,EBX; SHR EAX,8; AND EAX,31; JMP [table+RAX*8].
			return [0x89, 0xd8, 0xc1, 0xe8, 8, 0x83, 0xe0, jumps - 1, 0xff, 0x24, 0xc5, ...dword(jumpTable)];
		default:
			return [
				...patch(functionAt(random.below(pages)) + functionConstant, 3),
				...patch(blockAt(random.below(pages) * blocksPerPage) + blockConstant, 7),
			];
	}
}

function block(random: Random, index: number): Code {
	const code = new Code(blockAt(index));
	// DEC ECX; JZ end; IMUL RBX,RBX,31; ADD RBX,constant.
	code.add(0xff, 0xc9);
	code.to(jz, end);
	code.add(0x48, 0x6b, 0xdb, 31, 0x48, 0x81, 0xc3, ...dword(random.below(2 ** 30)));
	for (let count = random.below(3); count > 0; count--) {
		if (random.oneIn(7)) {
			code.to(call, functionAt(random.below(pages)));
			continue;
		}
		const action = rareAction(random, Math.floor(index / blocksPerPage));
		// TEST BL,mask; JNZ behind it.
		code.add(0xf6, 0xc3, random.pick([0x1f, 0x3f, 0x7f]), 0x75, action.length, ...action);
	}
	for (let count = 1 + random.below(2); count > 0; count--) {
		// BT RBX,bit.
		code.add(0x48, 0x0f, 0xba, 0xe3, random.below(40));
		code.to(jc, blockAt(random.below(blocks)));
	}
	code.to(jmp, blockAt(random.below(blocks)));
	return code;
}

/** ADD RBX,constant, and a return, sometimes by the function of the next page. */
function functionOf(random: Random, page: number): Code {
	const code = new Code(functionAt(page));
	code.add(0x48, 0x81, 0xc3, ...dword(random.below(2 ** 20)));
	if (page < pages - 1 && random.oneIn(3)) code.to(jmp, functionAt(page + 1));
	else code.add(0xc3);
	return code;
}

/**
 * A processor before random code of several pages, which maps its pages elsewhere and back, rewrites constants in them, runs them at
 * two linear addresses, and jumps indirectly, until its fuel is used up.
 */
export function remappedFlow(random: Random, options: GuestOptions = {}): GuestProcessor {
	const guest = startBytes([], blockAt(0), {ramBytes: 0x80_0000, ...options});
	const {ram, processor} = guest;
	const code = [
		...Array.from({length: blocks}, (_, index) => block(random, index)),
		...Array.from({length: pages}, (_, page) => functionOf(random, page)),
	];
	for (const {at, bytes} of code) {
		ram.set(bytes, at);
		ram.set(bytes, at ^ elsewhere);
	}
	for (let index = 0; index < blocks; index++) {
		const at = (blockAt(index) ^ elsewhere) + blockConstant;
		ram[at] = (ram[at] as number) + 5;
	}
	ram[end] = ram[end ^ elsewhere] = 0xf4;
	const words = new BigUint64Array(ram.buffer);
	const present = 7;
	words[(tables + 0x2000) / 8 + codeAt / 2 ** 21] = BigInt(entriesAt | present);
	for (let index = 0; index < 512; index++)
		words[entriesAt / 8 + index] = BigInt((codeAt + index * pageBytes) | present);
	for (let page = 0; page < pages; page++) {
		const physical = (codeAt + page * pageBytes) ^ (random.oneIn(2) ? elsewhere : 0);
		words[entryOf(aliasAt + page * pageBytes) / 8] = BigInt(physical | present);
	}
	for (let index = 0; index < jumps; index++)
		words[jumpTable / 8 + index] = BigInt(blockAt(random.below(blocks)) + (random.oneIn(3) ? aliasAt - codeAt : 0));
	Object.assign(processor.core.state.general, {1: BigInt(fuel), 3: random.u64()});
	return guest;
}
