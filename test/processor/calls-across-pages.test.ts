import test from 'ava';
import {
	type Assembler,
	byte,
	cr3,
	createAssembler,
	dword,
	eax,
	ecx,
	edx,
	qword,
	rax,
	rbx,
	rdi,
} from '#flowey/x86-assembler';
import {left, runOn} from './kernel-runs.ts';
import {codeAt, startBytes, tables} from './raw-code.ts';

/** Where functions are that code of another page calls, and two large pages that this address can mean. */
const functions = 0x40_0000;
const places = [functions, 0x60_0000] as const;
const entry = tables + 0x2000 + (functions >> 21) * 8;
const calls = 300;

const assemble = (origin: number, write: (asm: Assembler) => void) => {
	const asm = createAssembler({origin, bits: 64});
	write(asm);
	return asm.finish().bytes;
};

/** CALL or JMP to an address. */
const near = (opcode: number, at: number, target: number): readonly number[] => [
	opcode,
	...new Uint8Array(Int32Array.of(target - at - 5).buffer),
];
/** Where the loop begins: behind two constants. */
const loopAt = codeAt + 10;

/** Runs a loop of calls into another page, from which a further one is reached, and what follows each time. */
function runCalls(heat: number | undefined, rounds: number, behind: (asm: Assembler) => void) {
	const code = assemble(codeAt, (asm) => {
		const {label, mov, bytes, add, rol, dec, jnz, hlt} = asm;
		mov(edx, rounds);
		label('round');
		mov(ecx, calls);
		label('again');
		bytes(...near(0xe8, loopAt, functions));
		add(rbx, rax);
		rol(rbx, 3);
		dec(ecx);
		jnz('again');
		behind(asm);
		dec(edx);
		jnz('round');
		hlt();
	});
	const guest = startBytes([...code], codeAt, {ramBytes: 0x80_0000});
	for (const [index, place] of places.entries()) {
		// MOV EAX,constant; JMP to the next page, where another constant is added: its place is not alike in both.
		const further = 0x1000 + index * 0x20;
		const body = ({mov, bytes}: Assembler) => {
			mov(eax, 3 + index * 8);
			bytes(...near(0xe9, functions + 5, functions + further));
		};
		guest.ram.set(assemble(functions, body), place);
		guest.ram.set(
			assemble(functions + further, ({add, ret}) => {
				add(eax, 0x100 << index);
				ret();
			}),
			place + further,
		);
	}
	guest.processor.heat = heat;
	return runOn(guest);
}

/** What has another page at the address of the functions. */
const changes: Readonly<Record<string, (asm: Assembler) => void>> = {
	INVLPG: ({invlpg}) => {
		invlpg(byte(rdi));
	},
	'a load of CR3': ({mov}) => {
		mov(rax, cr3);
		mov(cr3, rax);
	},
};

for (const [name, change] of Object.entries(changes))
	test(`code of several pages goes where another page is behind ${name}`, (t) => {
		const behind = (asm: Assembler) => {
			const {mov, xor} = asm;
			mov(rdi, functions);
			mov(rax, places[0] ^ places[1]);
			xor(qword(entry), rax);
			change(asm);
		};
		const expected = runCalls(undefined, 30, behind);
		for (const heat of [1, 20, 700]) {
			const actual = runCalls(heat, 30, behind);
			t.true(actual.most > 0);
			t.deepEqual(left(actual.guest), left(expected.guest), `heat ${heat}`);
		}
	});

test('code of several pages that is rewritten in one of them is what has been written', (t) => {
	const behind = ({add, inc}: Assembler) => {
		// Constants of MOV in the second page and of ADD in the third, behind its opcode.
		add(dword(functions + 1), 5);
		inc(byte(functions + 0x1000 + 1));
	};
	const expected = runCalls(undefined, 30, behind);
	for (const heat of [1, 20, 700])
		t.deepEqual(left(runCalls(heat, 30, behind).guest), left(expected.guest), `heat ${heat}`);
});

for (const heat of [undefined, 20])
	test(`blocks with one place in the cache of blocks lead to each other without TypeScript, with ${heat ?? 'no'} executions before translations`, (t) => {
		const rounds = 5000;
		// XORed with its page's number the offset of the second is that of the first.
		const [first, second] = [codeAt, codeAt + 0x4004];
		const {processor, ram} = startBytes([], first);
		// DEC ECX; JNZ to JMP to the second; HLT. INC EBX; JMP back.
		ram.set([0xff, 0xc9, 0x75, 1, 0xf4, ...near(0xe9, first + 5, second)], first);
		ram.set([0xff, 0xc3, ...near(0xe9, second + 2, first)], second);
		const {core} = processor;
		core.state.general.set([0n, BigInt(rounds), 0n, 0n]);
		processor.heat = heat;
		const run = core.run.bind(core);
		let entered = 0;
		core.run = (record) => {
			entered++;
			return run(record);
		};
		t.is(processor.run(100_000), 'halted');
		t.is(core.state.general[3], BigInt(rounds - 1));
		t.true(entered < 20, `${entered}`);
	});
