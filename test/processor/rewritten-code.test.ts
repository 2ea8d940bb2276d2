import test from 'ava';
import {
	type Assembler,
	createAssembler,
	dword,
	eax,
	ebx,
	ecx,
	edi,
	edx,
	qword,
	r8d,
	r9d,
	r10d,
	r11,
	r11d,
	rax,
	rbx,
	rdi,
	rdx,
	times,
} from '#flowey/x86-assembler';
import {exitCode, exitPort, microKernel} from '#test/tmk';
import {GuestThreads} from '#vcpu-worker/software/system/testing';
import type {GuestProcessor} from './guest-processor.ts';
import {left, run} from './kernel-runs.ts';
import {codeAt, runBytes, startBytes} from './raw-code.ts';

/** A page of functions, and a list of their addresses. */
const [page, list] = [0x28_0000, 0x29_0000] as const;
const lineBytes = 64;
const ends = {port: exitPort, value: exitCode.ok};

/** MOV EAX,value; RET. */
const constantFunction = (value: number) => [0xb8, value, 0, 0, 0, 0xc3];

/** Number of the translation of the function, where there is one. */
function translated({processor: {core}}: GuestProcessor): number | undefined {
	const head = core.find(page, 0);
	return head === 0 ? undefined : core.translationOf(head);
}

/** Does something at each write to a port. */
function atPorts({processor: {outside}}: GuestProcessor, action: () => void): void {
	const {writePort} = outside;
	outside.writePort = (...args) => {
		action();
		writePort(...args);
	};
}

test('code that is rewritten leaves translations of other lines alone', (t) => {
	const rounds = 60;
	const kernel = microKernel('compiler', ({label, mov, call, add, dec, jnz, out}, {exit}) => {
		mov(eax, 0);
		mov(edx, 0);
		mov(ebx, page);
		mov(edi, page + lineBytes);
		mov(r8d, rounds);
		label('again');
		mov(ecx, 200);
		label('hot');
		call(rbx);
		dec(ecx);
		jnz('hot');
		out(0x80, eax);
		add(edx, eax);
		mov(dword(rdi, 1), r8d);
		call(rdi);
		add(edx, eax);
		dec(r8d);
		jnz('again');
		mov(eax, edx);
		out(0x80, eax);
		exit(exitCode.ok);
	});
	const seen: (number | undefined)[] = [];
	const prepare = (guest: GuestProcessor) => {
		guest.ram.set(constantFunction(7), page);
		guest.ram.set(constantFunction(0), page + lineBytes);
		atPorts(guest, () => seen.push(translated(guest)));
	};
	const expected = run(kernel, undefined, prepare).guest;
	t.is(expected.writes.at(-2)?.value, rounds * 7 + (rounds * (rounds + 1)) / 2);
	seen.length = 0;
	const {guest} = run(kernel, 10, prepare);
	t.deepEqual(left(guest), left(expected));
	const found = seen.filter((number) => number !== undefined);
	t.true(found.length > rounds / 2, `${found.length}`);
	t.deepEqual(new Set(seen.slice(-found.length)), new Set(found.slice(0, 1)));
});

test('code that was rewritten again and again is translated when it stays as it is', (t) => {
	const during: (number | undefined)[] = [];
	const kernel = microKernel('settling', ({label, mov, call, dec, jnz, out}, {exit}) => {
		const callOften = (times: number) => {
			mov(ecx, times);
			label(`call-${times}`);
			call(rbx);
			dec(ecx);
			jnz(`call-${times}`);
		};
		mov(ebx, page);
		mov(r8d, 12);
		label('again');
		mov(dword(rbx, 1), r8d);
		out(0x80, eax);
		callOften(300);
		dec(r8d);
		jnz('again');
		callOften(2000);
		exit(exitCode.ok);
	});
	const prepare = (guest: GuestProcessor) => {
		guest.ram.set(constantFunction(0), page);
		atPorts(guest, () => during.push(translated(guest)));
	};
	const expected = run(kernel, undefined, prepare).guest;
	during.length = 0;
	const {guest} = run(kernel, 1, prepare);
	t.deepEqual(left(guest), left(expected));
	t.deepEqual(new Set(during.slice(0, 12)), new Set([undefined]));
	t.not(translated(guest), undefined);
});

test('functions that are rewritten at random, in lines that they share, are what was written last', (t) => {
	/** Begins of functions: of some that share lines, and cross their borders; and where others begin in the midst of one. */
	const begins = [0, 16, 32, 0x38, 0x60, 0x7a, 0x90, 0x100, 0x13c, 0x170, 0x1c0, 0x200, 0x210, 0x3e8];
	const entries = [0x105, 0x3e8 + 5];
	const rounds = 20_000;
	const kernel = microKernel('random', ({bytes, label, mov, call, and, shr, add, test: and0, jnz, dec}, {exit}) => {
		mov(r8d, rounds);
		mov(r11d, 12_345);
		mov(r10d, 0);
		label('again');
		// IMUL R11,R11,constant.
		bytes(0x4d, 0x69, 0xdb, 0x2d, 0xf4, 0x51, 0x58);
		add(r11, 0x1405_7b7f);
		mov(rax, r11);
		shr(rax, 40);
		and0(eax, 0x1f0);
		jnz('kept');
		mov(rdx, r11);
		shr(rdx, 32);
		and(edx, 15);
		mov(rdi, qword(times(rdx, 8), list + 0x1000));
		// The constant of MOV EDX.
		mov(dword(rdi, 1), r11d);
		label('kept');
		and(eax, 15);
		call(qword(times(rax, 8), list));
		dec(r8d);
		jnz('again');
		exit(exitCode.ok);
	});
	const prepare = ({ram}: GuestProcessor) => {
		const view = new DataView(ram.buffer);
		// MOV EDX,n; ADD R10,RDX; ROL R10,7; RET.
		for (const begin of begins) ram.set([0xba, 1, 0, 0, 0, 0x49, 0x01, 0xd2, 0x49, 0xc1, 0xc2, 7, 0xc3], page + begin);
		for (let number = 0; number < 16; number++) {
			const begin = begins[number % begins.length] as number;
			view.setBigUint64(list + number * 8, BigInt(page + (entries[number - begins.length] ?? begin)), true);
			view.setBigUint64(list + 0x1000 + number * 8, BigInt(page + begin), true);
		}
		// Functions of two blocks: JMP to the next one, or into it, in place of RET.
		for (const [from, to] of [
			[0x38, 0x60],
			[0x90, 0x100 + 5],
			[0x1c0, 0x200],
			[0x210, 0x170],
		] as const)
			ram.set([0xe9, ...new Uint8Array(Int32Array.of(to - (from + 12 + 5)).buffer)], page + from + 12);
	};
	const expected = run(kernel, undefined, prepare).guest;
	t.deepEqual(expected.writes.at(-1), ends);
	for (const heat of [1, 7, 40]) {
		const {guest, modules} = run(kernel, heat, prepare);
		t.deepEqual(left(guest), left(expected), `heat ${heat}`);
		t.true(modules > 1);
	}
});

for (const [where, distance] of Object.entries({'another line': 0x100, 'another page': 0x1000}))
	test(`what another processor rewrites while it runs, in ${where} too, is never older than what has been seen of it`, async (t) => {
		t.timeout(900_000);
		const guest = new GuestThreads(2);
		const {ram} = guest.lone;
		const [user, changer, done, stack] = [0x40_0000, 0x41_0000, 0x42_0000, 0x43_0000] as const;
		const rounds = 20_000;
		/** Constants of MOV EAX at a multiple of four: in the loop, and in a function that far from it. */
		const constants = [user + 4, user + distance + 4];
		const code = (origin: number, write: (asm: Assembler) => void) => {
			const asm = createAssembler({origin, bits: 64});
			write(asm);
			ram.set(asm.finish().bytes, origin);
		};
		code(user, ({align, bytes, label, cmp, jb, mov, jne, call, je, dec, jnz, hlt}) => {
			// JMP to the loop: so that is hot before the function, which its translation has as well.
			bytes(0xeb, 1, 0x90);
			label('again');
			mov(eax, 0);
			cmp(eax, r9d);
			jb('wrong');
			mov(r9d, eax);
			call('function');
			cmp(eax, r10d);
			jb('wrong');
			mov(r10d, eax);
			cmp(dword(done), 0);
			je('again');
			cmp(r9d, rounds);
			jne('more');
			cmp(r10d, rounds);
			je('ended');
			label('more');
			// It has to come, sometime.
			dec(ecx);
			jnz('again');
			label('wrong');
			mov(ebx, 1);
			label('ended');
			hlt();
			align(distance);
			bytes(0x90, 0x90, 0x90);
			label('function');
			mov(eax, 0);
			bytes(0xc3);
		});
		code(changer, ({label, inc, mov, cmp, jne, hlt}) => {
			label('again');
			inc(ecx);
			for (const place of constants) mov(dword(place), ecx);
			cmp(ecx, rounds);
			jne('again');
			mov(dword(done), 1);
			hlt();
		});
		const registers = (count: bigint) => [0n, count, 0n, 0n, BigInt(stack)];
		guest.start([
			{entry: user, general: registers(10_000_000n)},
			{entry: changer, general: registers(0n)},
		]);
		const [end] = await guest.ends();
		t.is(end?.stop, 'halted');
		t.deepEqual([end?.general[3], end?.general[9], end?.general[10]], [0n, BigInt(rounds), BigInt(rounds)]);
	});

test('what is linked to a block that is gone finds the next one without leaving code each time', (t) => {
	const rounds = 1000;
	const functionAt = 0x100;
	// MOV ECX,1000; again: CALL function; CMP ECX,999; JNE +8; MOV BYTE [function + 1],9; DEC ECX; JNZ again; HLT.
	const guest = startBytes(
		[
			...[0xb9, 0xe8, 3, 0, 0, 0xe8, 0xf6, 0, 0, 0, 0x81, 0xf9, 0xe7, 3, 0, 0, 0x75, 8],
			...[0xc6, 4, 0x25, 1, 1, 0x20, 0, 9, 0xff, 0xc9, 0x75, 0xe7, 0xf4],
		],
		codeAt,
	);
	guest.ram.set(constantFunction(1), codeAt + functionAt);
	const {processor} = guest;
	const {core} = processor;
	const execute = core.run.bind(core);
	let runs = 0;
	core.run = (record) => {
		runs++;
		return execute(record);
	};
	t.is(processor.run(rounds * 10), 'halted');
	t.is(core.state.general[0], 9n);
	t.true(runs < 50, `${runs}`);
});

for (const carriesOut of [true, false])
	for (const [name, code, area] of [
		['XSAVES', [0x0f, 0xc7, 0x2f], codeAt - 448],
		['SGDT', [0x0f, 0x01, 0x07], codeAt + 70],
	] as const)
		test(`${name} that overwrites what follows it is followed by what it has written, ${carriesOut ? 'amid its block' : 'by TypeScript'}`, (t) => {
			// NOPs of eight bytes, then INC EBX from 64 bytes behind the begin on.
			const long = Array.from({length: 7}, () => [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]).flat();
			const increments = Array.from({length: 8}, () => [0xff, 0xc3]).flat();
			const bytes = [...code, ...long, ...Array.from({length: 61 - long.length}, () => 0x90), ...increments];
			const {general, vector} = runBytes(bytes, {
				prepare({processor}) {
					const {core} = processor;
					processor.heat = 1000;
					core.state.general.set([7n, 0n, 0n, 0n]);
					core.state.general[7] = BigInt(area);
					Object.assign(core.state, {cr4: core.state.cr4 | 0x4_0200n, xcr0: 7n});
					// An undefined instruction as the limit of the table.
					if (name === 'SGDT') core.state.gdtr.limit = 0x0b0f;
					core.carriesOut = carriesOut;
				},
			});
			t.is(vector, 6);
			t.true((general[3] as bigint) < 8n, `${general[3]}`);
		});
