import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {GuestThreads} from '#vcpu-worker/software/system/testing';

/** Code of the two processors. */
const entries = [0x20_0000, 0x20_1000] as const;
/** The words by which they tell each other, in lines of their own. */
const words = 0x21_0000;
const stack = 0x22_0000;
const results = 0x40_0000;
const functions = 0x80_0000;
const pageBytes = 4096;
const rounds = 600;
const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** INC R8D; body; CMP R8D,R11D; JB; HLT: rounds in R8 from 1 on, to R11. */
const loop = (...body: readonly (readonly number[])[]): readonly number[] => {
	const code = [0x41, 0xff, 0xc0, ...body.flat(), 0x45, 0x39, 0xd8];
	return [...code, 0x0f, 0x82, ...word(-(code.length + 6)), 0xf4];
};
/** MOV [RDI],R8D. */
const tell = [0x44, 0x89, 0x07];
/** Again: CMP [RDI],R8D; JNE again. */
const awaitTold = [0x44, 0x39, 0x07, 0x75, 0xfb];
/** MOV [RDI+64],R8D. */
const answer = [0x44, 0x89, 0x47, 0x40];
/** Again: CMP [RDI+64],R8D; JNE again. */
const awaitAnswer = [0x44, 0x39, 0x47, 0x40, 0x75, 0xfa];
/** MOV [R10+R8*4],EAX. */
const record = [0x43, 0x89, 0x04, 0x82];
const cpuid = [0x0f, 0xa2];
/** Rounds on each page. */
const roundsShift = 2;
/** R9 is the page of the round: MOV EAX,R8D; SHR EAX,roundsShift; SHL EAX,12; LEA R9,[RAX+functions]. */
const pageOfRound = [0x44, 0x89, 0xc0, 0xc1, 0xe8, roundsShift, 0xc1, 0xe0, 12, 0x4c, 0x8d, 0x88, ...word(functions)];

/** Runs two programs to their HLT, from these registers on. */
async function both(
	guest: GuestThreads,
	programs: readonly (readonly number[])[],
	of: Readonly<Record<number, number>>,
) {
	const general = Array.from({length: 16}, (_, index) => BigInt(of[index] ?? 0));
	for (const [index, program] of programs.entries()) guest.lone.ram.set(program, entries[index]);
	guest.start(entries.map((entry) => ({entry, general})));
	return (await guest.ends()).map(({stop}) => stop);
}

const halted = ['halted', 'halted'];
const register = {rbx: 3, rsp: 4, rbp: 5, rdi: 7, r10: 10, r11: 11} as const;
const shared = {[register.rdi]: words, [register.rsp]: stack, [register.r10]: results, [register.r11]: rounds};

test.serial('code that another processor has changed is executed behind a flag and CPUID', async (t) => {
	const guest = new GuestThreads(2);
	const {ram} = guest.lone;
	// MOV EAX,0; RET.
	for (let page = 0; page <= rounds >> roundsShift; page++)
		ram.set([0xb8, 0, 0, 0, 0, 0xc3], functions + page * pageBytes);
	const changes = loop(pageOfRound, [0x45, 0x89, 0x41, 1], tell, awaitAnswer); // MOV [R9+1],R8D
	const executes = loop(awaitTold, cpuid, pageOfRound, [0x41, 0xff, 0xd1], record, answer); // CALL R9
	t.deepEqual(await both(guest, [changes, executes], shared), halted);
	const found = new Uint32Array(ram.buffer, results + 4, rounds);
	t.deepEqual(
		[...found],
		Array.from({length: rounds}, (_, index) => index + 1),
	);
});

test.serial('a page that another processor has moved is read and written behind a flag and INVLPG', async (t) => {
	const guest = new GuestThreads(2);
	const {ram} = guest.lone;
	const linear = 0x4000_0000;
	const [pointers, directory, table] = [0x30_1000, 0x31_0000, 0x31_1000];
	const quads = new BigUint64Array(ram.buffer);
	quads[pointers / 8 + 1] = BigInt(directory) | 7n;
	quads[directory / 8] = BigInt(table) | 7n;
	const pages = [functions, functions + pageBytes] as const;
	const view = new DataView(ram.buffer);
	for (const [index, page] of pages.entries()) view.setUint32(page, index, true);
	// MOV EAX,R8D; AND EAX,1; SHL EAX,12; ADD EAX,functions+7; MOV [RBX],RAX.
	const move = [0x44, 0x89, 0xc0, 0x83, 0xe0, 1, 0xc1, 0xe0, 12, 0x05, ...word(functions + 7), 0x48, 0x89, 0x03];
	// INVLPG [RBP]; MOV EAX,[RBP]; INC dword [RBP+4].
	const use = [0x0f, 0x01, 0x7d, 0, 0x8b, 0x45, 0, 0xff, 0x45, 4];
	const programs = [loop(move, tell, awaitAnswer), loop(awaitTold, use, record, answer)];
	const of = {...shared, [register.rbx]: table, [register.rbp]: linear};
	t.deepEqual(await both(guest, programs, of), halted);
	const found = new Uint32Array(ram.buffer, results + 4, rounds);
	t.deepEqual(
		[...found],
		Array.from({length: rounds}, (_, index) => (index + 1) & 1),
	);
	t.deepEqual(
		pages.map((page) => view.getUint32(page + 4, true)),
		[rounds / 2, rounds / 2],
	);
});

test.serial('code that a thread which is no processor copies over code that runs is executed', async (t) => {
	const guest = new GuestThreads(1);
	const {ram, memory} = guest.lone;
	const last = 200;
	// MOV EAX,0; RET.
	ram.set([0xb8, ...word(0), 0xc3], functions);
	// Again: CALL R9; MOV [RDI],EAX; CMP EAX,last; JNE again; HLT.
	ram.set([0x41, 0xff, 0xd1, 0x89, 0x07, 0x3d, ...word(last), 0x75, 0xf4, 0xf4], entries[0]);
	const general = Array.from({length: 16}, () => 0n);
	general[4] = BigInt(stack);
	general[7] = BigInt(words);
	general[9] = BigInt(functions);
	guest.start([{entry: entries[0], general}]);
	const view = new DataView(ram.buffer);
	for (let value = 1; value <= last; value++) {
		t.true(memory.copyIn(functions + 1, Uint8Array.from(word(value))));
		while (view.getUint32(words, true) !== value) await setImmediate();
	}
	const [end] = await guest.ends();
	t.is(end?.stop, 'halted');
});
