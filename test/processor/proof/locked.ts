import {GuestThreads} from '#vcpu-worker/software/system/testing';
import {judged, type ProofPart} from './part.ts';

const processors = 2;
const codeAt = 0x20_0000;
const pageBytes = 4096;
/** Pages for the operands of the cases, two for each. */
const data = 0x40_0000;

/**
 * Adds one to what RDI points to, or to what RSI points to with a lock where RDI does. RDI, RSI
 * and R8 stay.
 */
interface Form {
	readonly name: string;
	readonly bytes: number;
	readonly code: readonly number[];
	/** What it counts from. */
	readonly start?: bigint;
	readonly isLock?: boolean;
}

const forms: readonly Form[] = [
	{name: 'LOCK ADD qword [RDI],1', bytes: 8, code: [0xf0, 0x48, 0x83, 0x07, 1], start: 0xffff_ff00n},
	{name: 'LOCK SUB dword [RDI],-1', bytes: 4, code: [0xf0, 0x83, 0x2f, 0xff]},
	{name: 'LOCK INC word [RDI]', bytes: 2, code: [0xf0, 0x66, 0xff, 0x07]},
	// STC; LOCK ADC dword [RDI],0.
	{name: 'LOCK ADC dword [RDI],0', bytes: 4, code: [0xf9, 0xf0, 0x83, 0x17, 0]},
	{name: 'LOCK INC byte [RDI]', bytes: 1, code: [0xf0, 0xfe, 0x07]},
	// MOV EAX,1; LOCK XADD [RDI],EAX.
	{name: 'LOCK XADD dword [RDI],EAX', bytes: 4, code: [0xb8, 1, 0, 0, 0, 0xf0, 0x0f, 0xc1, 0x07]},
	// MOV RAX,[RDI]; LEA RDX,[RAX+1]; LOCK CMPXCHG [RDI],RDX; JNE.
	{
		name: 'LOCK CMPXCHG qword [RDI],RDX',
		bytes: 8,
		code: [0x48, 0x8b, 0x07, 0x48, 0x8d, 0x50, 1, 0xf0, 0x48, 0x0f, 0xb1, 0x17, 0x75, 0xf2],
		start: 0xffff_ff00n,
	},
	// MOV EAX,[RDI]; MOV EDX,[RDI+4]; MOV EBX,EAX; MOV ECX,EDX; ADD EBX,1; ADC ECX,0; LOCK CMPXCHG8B [RDI]; JNE.
	{
		name: 'LOCK CMPXCHG8B [RDI]',
		bytes: 8,
		code: [
			0x8b, 0x07, 0x8b, 0x57, 4, 0x89, 0xc3, 0x89, 0xd1, 0x83, 0xc3, 1, 0x83, 0xd1, 0, 0xf0, 0x0f, 0xc7, 0x0f, 0x75,
			0xeb,
		],
		start: 0xffff_ff00n,
	},
	// MOV RAX,[RDI]; MOV RDX,[RDI+8]; LEA RBX,[RAX+1]; LEA RCX,[RDX+1]; LOCK CMPXCHG16B [RDI]; JNE.
	{
		name: 'LOCK CMPXCHG16B [RDI]',
		bytes: 16,
		code: [
			0x48, 0x8b, 0x07, 0x48, 0x8b, 0x57, 8, 0x48, 0x8d, 0x58, 1, 0x48, 0x8d, 0x4a, 1, 0xf0, 0x48, 0x0f, 0xc7, 0x0f,
			0x75, 0xea,
		],
	},
	// MOV EAX,1; again: XCHG [RDI],EAX; TEST EAX,EAX; JNE again; INC dword [RSI]; MOV dword [RDI],0.
	{
		name: 'XCHG as a lock',
		bytes: 4,
		code: [0xb8, 1, 0, 0, 0, 0x87, 0x07, 0x85, 0xc0, 0x75, 0xfa, 0xff, 0x06, 0xc7, 0x07, 0, 0, 0, 0],
		isLock: true,
	},
	// Again: LOCK BTS dword [RDI],5; JC again; INC dword [RSI]; LOCK BTR dword [RDI],5.
	{
		name: 'LOCK BTS and BTR as a lock',
		bytes: 4,
		code: [0xf0, 0x0f, 0xba, 0x2f, 5, 0x72, 0xf9, 0xff, 0x06, 0xf0, 0x0f, 0xba, 0x37, 5],
		isLock: true,
	},
	{name: 'LOCK XOR that changes nothing beside LOCK INC', bytes: 4, code: [0xf0, 0x83, 0x37, 0, 0xf0, 0xff, 0x07]},
];

/** Where in a page a form's operand begins. */
const places = {'of a multiple': 0x100, 'in a line': 0x203, 'of two lines': 0x33f, 'of two pages': 0xfff} as const;

/** A form at one place. */
interface Case extends Form {
	readonly place: string;
	readonly at: number;
	readonly counterAt: number;
}

const cases: readonly Case[] = forms.flatMap((form, row) =>
	Object.entries(places)
		// One byte lies in one place only, and 16 must be at a multiple.
		.filter(([, offset]) => (form.bytes > 1 && form.bytes < 16) || offset === 0x100)
		.map(([place, offset], column) => {
			const page = data + (row * 4 + column) * 2 * pageBytes;
			return {...form, place, at: page + offset, counterAt: form.isLock === true ? page + 0x800 : page + offset};
		}),
);

const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** Counts the processors that have come to a case. */
const arrivals = data - pageBytes;

/** Waits for the other processors: LOCK INC dword [arrivals]; again: CMP dword [arrivals],count; JB again. */
const meet = (count: number): readonly number[] => [
	...[0xf0, 0xff, 0x04, 0x25, ...word(arrivals)],
	...[0x81, 0x3c, 0x25, ...word(arrivals), ...word(count), 0x72, -13 & 0xff],
];

/** All cases after each other, which all begin at once, each in a loop: MOV EDI,at; MOV ESI,counter; MOV R8D,rounds; form; DEC R8D; JNE form. HLT. */
function program(all: readonly Case[], rounds: number): number[] {
	const code: number[] = [];
	for (const [index, {at, counterAt, code: form}] of all.entries()) {
		code.push(
			...meet((index + 1) * processors),
			0xbf,
			...word(at),
			0xbe,
			...word(counterAt),
			0x41,
			0xb8,
			...word(rounds),
		);
		code.push(...form, 0x41, 0xff, 0xc8, 0x75, -(form.length + 5) & 0xff);
	}
	return [...code, 0xf4];
}

/** A round is one execution of each form at each place by each processor. */
export const locked: ProofPart = {
	name: 'locked',
	title: 'locked instructions of two processors count exactly, wherever their operands lie',
	oracle: 'manual',
	unit: 'rounds',
	daily: 3000,
	whole: 60_000,
	share: 3000,
	threads: processors,
	obstacle: () => undefined,
	async run({count: rounds}) {
		const guest = new GuestThreads(processors);
		const {ram} = guest.lone;
		const view = new DataView(ram.buffer);
		ram.set(program(cases, rounds), codeAt);
		for (const {counterAt, start = 0n} of cases) view.setBigUint64(counterAt, start, true);
		guest.start([{entry: codeAt}, {entry: codeAt}]);
		const ends = await guest.ends();
		const wrong = ends.flatMap(({stop}) => (stop === 'halted' ? [] : [`a processor ended by ${stop}`]));
		for (const {name, place, counterAt, bytes, start = 0n} of cases) {
			const count = view.getBigUint64(counterAt, true);
			const wanted = BigInt.asUintN(bytes * 8, start + BigInt(rounds * processors));
			if (BigInt.asUintN(bytes * 8, count) !== wanted) wrong.push(`${name} at bytes ${place}: ${count}, not ${wanted}`);
			if (bytes === 16 && view.getBigUint64(counterAt + 8, true) !== count) wrong.push(`${name}: its upper half`);
		}
		return judged(rounds, wrong);
	},
};
