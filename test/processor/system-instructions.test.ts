import test from 'ava';
import {Feature} from '#vcpu-worker/software/decode';
import {announcing} from '#vcpu-worker/software/system/testing';
import type {GuestProcessor} from './guest-processor.ts';
import {type Before, codeAt, descriptors, runBytes, stackTop, tables} from './raw-code.ts';

const Vector = {ud: 6, gp: 13, pf: 14} as const;
/** CR4: FSGSBASE, PCIDE, PGE. */
const Cr4 = {fsgsbase: 0x1_0000n, pcide: 0x2_0000n, pge: 0x80n} as const;
const data = stackTop - 0x8000;
const all64 = 0xffff_ffff_ffff_ffffn;

/** Sets registers, by their numbers. */
const registers =
	(values: Readonly<Record<number, bigint>>) =>
	({processor}: GuestProcessor): void => {
		for (const [number, value] of Object.entries(values)) processor.core.state.general[Number(number)] = value;
	};
const vectorOf = (code: readonly number[], before: Before = {}) => runBytes(code, before).vector;

test('a bit of CR4 whose feature is not announced cannot be set', (t) => {
	// MOV CR4,RAX.
	const pge = {prepare: registers({0: 0x20n | Cr4.pge})};
	t.is(vectorOf([0x0f, 0x22, 0xe0], pge), undefined);
	t.is(vectorOf([0x0f, 0x22, 0xe0], {...pge, cpuid: announcing(Feature.pge)}), Vector.gp);
});

test('time and the number of the processor are for programs too, until CR4.TSD', (t) => {
	const auxiliary = 0x1_2345n;
	const prepare = ({processor}: GuestProcessor) => void processor.msrs.write(0xc000_0103, auxiliary);
	// RDTSC; MOV EBX,EAX; RDTSCP; SUB EAX,EBX; RDPID RSI.
	const code = [0x0f, 0x31, 0x89, 0xc3, 0x0f, 0x01, 0xf9, 0x29, 0xd8, 0xf3, 0x0f, 0xc7, 0xfe];
	const {general, vector} = runBytes(code, {isUser: true, prepare});
	t.is(vector, undefined);
	t.deepEqual([general[0], general[1], general[6]], [1000n, auxiliary, auxiliary]);
	const guarded = ({processor}: GuestProcessor) => {
		processor.core.state.cr4 |= 4n;
	};
	t.is(vectorOf(code, {isUser: true, prepare: guarded}), Vector.gp);
	t.is(vectorOf(code, {prepare: guarded}), undefined);
});

test('RDTSC and RDTSCP give halves of the counter, and clear the rest of their registers', (t) => {
	for (const code of [
		[0x0f, 0x31],
		[0x0f, 0x01, 0xf9],
	]) {
		const {general} = runBytes([0x90, ...code], {
			isUser: true,
			prepare(guest) {
				registers({0: all64, 1: all64, 2: all64})(guest);
				guest.processor.outside.counter = () => 0xfedc_ba98_8765_4321n;
			},
		});
		t.deepEqual([general[0], general[2]], [0x8765_4321n, 0xfedc_ba98n]);
		t.is(general[1], code.length === 2 ? all64 : 0n);
	}
});

test('random numbers fill their operand and set CF alone', (t) => {
	// XOR EAX,EAX sets ZF; MOV RAX,-1 and RBX; RDRAND AX; RDRAND EBX; RDSEED RCX; PUSHF; POP RDX.
	const code = [
		...[0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x48, 0x89, 0xc3, 0x31, 0xd2],
		...[0x66, 0x0f, 0xc7, 0xf0, 0x0f, 0xc7, 0xf3, 0x48, 0x0f, 0xc7, 0xf9, 0x9c, 0x5a],
	];
	const {general, vector} = runBytes(code, {isUser: true});
	t.is(vector, undefined);
	t.deepEqual([general[0], general[3], general[1]], [0xffff_ffff_ffff_def0n, 0x9abc_def0n, 0x1234_5678_9abc_def0n]);
	t.is((general[2] ?? 0n) & 0x8d5n, 1n);
});

test('bases of FS and GS are read and written where CR4 says so, and must be canonical', (t) => {
	const enabled = (values: Readonly<Record<number, bigint>>) => (guest: GuestProcessor) => {
		guest.processor.core.state.cr4 |= Cr4.fsgsbase;
		registers(values)(guest);
	};
	// WRFSBASE RAX; WRGSBASE EBX; RDFSBASE ECX; RDGSBASE RDX; MOV ESI,GS:[0].
	const code = [
		0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x0f, 0xae, 0xdb, 0xf3, 0x0f, 0xae, 0xc1, 0xf3, 0x48, 0x0f, 0xae, 0xca,
	];
	const values = {0: 0xffff_8000_1234_5678n, 3: 0xffff_ffff_0000_0000n | BigInt(data)};
	const {general, vector} = runBytes(code, {isUser: true, prepare: enabled(values)});
	t.is(vector, undefined);
	t.deepEqual([general[1], general[2]], [0x1234_5678n, BigInt(data)]);
	t.is(vectorOf(code, {isUser: true, prepare: registers(values)}), Vector.ud);
	t.is(vectorOf(code, {prepare: enabled({0: 0x8000_0000_0000n})}), Vector.gp);
});

/** Runs the code of a guest at privilege 0 before, with CR4.FSGSBASE, so that it has a translation. */
function translate({processor}: GuestProcessor): void {
	const {state} = processor.core;
	const {cr4, general} = state;
	const before = [...general];
	processor.heat = 1;
	state.cr4 |= Cr4.fsgsbase;
	for (let round = 0; round < 3; round++) {
		general.set(before);
		Object.assign(state, {rip: BigInt(codeAt)});
		processor.changed();
		processor.run(1000);
		processor.isHalted = false;
	}
	general.set(before);
	Object.assign(state, {rip: BigInt(codeAt), cr4});
}

/** RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE of RAX; the number of the segment, and what they do. */
const baseInstructions = [
	[0xc0, 4, 'read'],
	[0xc8, 5, 'read'],
	[0xd0, 4, 'write'],
	[0xd8, 5, 'write'],
] as const;
for (const isTranslated of [false, true])
	test(`each instruction on a base is undefined without CR4.FSGSBASE, and refuses what is not canonical, ${isTranslated ? '' : 'not '}translated`, (t) => {
		for (const [modRm, segment, does] of baseInstructions)
			for (const isWide of [true, false]) {
				const code = [0x90, 0xf3, ...(isWide ? [0x48] : []), 0x0f, 0xae, modRm];
				const [rax, base] = [0xffff_ffff_0000_1234n, 0xffff_8765_4321_0000n];
				const run = (bits: bigint, value = rax) => {
					const outcome = runBytes(code, {
						prepare(guest) {
							const {core} = guest.processor;
							if (isTranslated) translate(guest);
							core.state.cr4 |= bits;
							registers({0: value})(guest);
							Object.assign(core.state.segments[segment] ?? {}, {base});
						},
					});
					const {translations, core} = outcome.processor;
					t.is(translations.size.translations > 0, isTranslated);
					return [outcome.vector, outcome.general[0], core.state.segments[segment]?.base];
				};
				t.deepEqual(run(0n), [Vector.ud, rax, base]);
				const read = isWide ? base : 0x4321_0000n;
				const written = isWide ? rax : 0x1234n;
				t.deepEqual(run(Cr4.fsgsbase), does === 'read' ? [undefined, read, base] : [undefined, rax, written]);
				if (does !== 'write' || !isWide) continue;
				for (const wrong of [0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 1n << 63n])
					t.deepEqual(run(Cr4.fsgsbase, wrong), [Vector.gp, wrong, base]);
				for (const right of [0x7fff_ffff_ffffn, 0xffff_8000_0000_0000n])
					t.deepEqual(run(Cr4.fsgsbase, right), [undefined, right, right]);
			}
	});

test('accesses behind WRFSBASE go by the base that it has written, also by a translation', (t) => {
	for (const isTranslated of [false, true]) {
		// MOV AL,FS:[RSI]; MOV AH,FS:[RSI+1]; WRFSBASE RCX; MOV BL,FS:[RSI]; MOV BH,FS:[RSI+1].
		const loads = [0x64, 0x8a, 0x06, 0x64, 0x8a, 0x66, 1, 0xf3, 0x48, 0x0f, 0xae, 0xd1];
		const {general, processor} = runBytes([...loads, 0x64, 0x8a, 0x1e, 0x64, 0x8a, 0x7e, 1], {
			prepare(guest) {
				registers({0: 0n, 1: 0x1000n, 3: 0n, 6: BigInt(data)})(guest);
				if (isTranslated) translate(guest);
				guest.processor.core.state.cr4 |= Cr4.fsgsbase;
				Object.assign(guest.processor.core.state.segments[4] ?? {}, {base: 0n});
				guest.ram.set([1, 2], data);
				guest.ram.set([3, 4], data + 0x1000);
			},
		});
		t.deepEqual([general[0], general[3]], [0x201n, 0x403n]);
		t.is(processor.translations.size.translations > 0, isTranslated);
	}
});

test('segment registers are read by programs, filled up with zeros or as 16 bits, and there are six', (t) => {
	const selectors = [0x3b, 0x33, 0x2b, 0xfff3, 0x53, 0x1234];
	const prepare = (guest: GuestProcessor) => {
		for (const [number, selector] of selectors.entries())
			Object.assign(guest.processor.core.state.segments[number] ?? {}, {selector});
		registers({0: all64, 1: all64, 2: all64})(guest);
	};
	for (const [number, selector] of selectors.entries()) {
		const modRm = 0xc0 | (number << 3);
		// MOV EAX,Sreg; MOV RCX,Sreg; MOV DX,Sreg.
		const code = [0x8c, modRm, 0x48, 0x8c, modRm | 1, 0x66, 0x8c, modRm | 2];
		const {general, vector} = runBytes(code, {isUser: true, prepare});
		t.is(vector, undefined);
		const value = BigInt(selector);
		t.deepEqual([general[0], general[1], general[2]], [value, value, 0xffff_ffff_ffff_0000n | value], `${number}`);
	}
	t.is(vectorOf([0x8c, 0xf0]), Vector.ud);
});

test('SWAPGS is for the kernel', (t) => {
	const prepare = ({processor}: GuestProcessor) => {
		processor.msrs.write(0xc000_0102, 0x1000n);
		Object.assign(processor.core.state.segments[5] ?? {}, {base: 0x2000n});
	};
	const {processor} = runBytes([0x0f, 0x01, 0xf8], {prepare});
	t.deepEqual([processor.core.state.segments[5]?.base, processor.msrs.get(0xc000_0102)], [0x1000n, 0x2000n]);
	t.is(vectorOf([0x0f, 0x01, 0xf8], {isUser: true, prepare}), Vector.gp);
});

test('CLAC and STAC guard the memory of programs at once, in the middle of code', (t) => {
	const smap = (guest: GuestProcessor) => {
		new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512)[1] = 0x20_0083n;
		new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512)[0] = 0x87n;
		guest.processor.core.state.cr4 |= 1n << 21n;
		registers({7: 0x1000n})(guest);
	};
	const load = [0x8a, 0x0f];
	const [stac, clac] = [
		[0x0f, 0x01, 0xcb],
		[0x0f, 0x01, 0xca],
	];
	t.is(vectorOf([...stac, ...load], {prepare: smap}), undefined);
	t.deepEqual(
		[vectorOf(load, {prepare: smap}), vectorOf([...stac, ...load, ...clac, ...load], {prepare: smap})],
		[14, 14],
	);
	t.is(vectorOf(stac, {isUser: true}), Vector.ud);
});

test('MONITOR faults as a load does, and MWAIT goes on', (t) => {
	// MONITOR; XOR ECX,ECX; MWAIT.
	const code = [0x0f, 0x01, 0xc8, 0x0f, 0x01, 0xc9];
	t.is(vectorOf(code, {prepare: registers({0: BigInt(data)})}), undefined);
	t.is(vectorOf(code, {prepare: registers({0: 0x4000_0000_0000n})}), Vector.pf);
	t.is(vectorOf(code, {prepare: registers({0: BigInt(data), 1: 2n})}), Vector.gp);
	t.is(vectorOf(code, {isUser: true}), Vector.ud);
});

test('RDPMC has no counter, and what is undefined on purpose is', (t) => {
	t.is(vectorOf([0x0f, 0x33]), Vector.gp);
	t.deepEqual(
		[
			[0x0f, 0x0b],
			[0x0f, 0xb9, 0xc0],
			[0x0f, 0xff, 0xc0],
		].map((code) => vectorOf(code)),
		[Vector.ud, Vector.ud, Vector.ud],
	);
});

test('control registers refuse bits that there are not and states that cannot be', (t) => {
	const [toCr0, toCr3, toCr4] = [
		[0x0f, 0x22, 0xc0],
		[0x0f, 0x22, 0xd8],
		[0x0f, 0x22, 0xe0],
	];
	const write = (code: readonly number[], value: bigint, cr4 = 0x20n, cr3 = BigInt(tables)) => {
		const outcome = runBytes(code, {
			prepare: ({processor}) => {
				Object.assign(processor.core.state, {cr4, cr3});
				processor.core.state.general[0] = value;
			},
		});
		return outcome.vector;
	};
	// PG without PE, NW without CD, the upper half; paging off in 64-bit code.
	t.deepEqual(
		[0x8001_0032n, 0xa001_0033n, 0x1_8001_0033n, 0x33n].map((value) => write(toCr0, value)),
		[13, 13, 13, 13],
	);
	t.is(write(toCr0, 0x8001_0033n | (1n << 28n)), undefined);
	// PAE off, LA57 on in long mode; a bit that nobody has.
	t.deepEqual(
		[0n, 0x1020n, 0x8000_0020n].map((value) => write(toCr4, value)),
		[13, 13, 13],
	);
	// PCIDs begin with that of 0; the bit that keeps translations is theirs.
	t.is(write(toCr4, 0x20n | Cr4.pcide, 0x20n, BigInt(tables) | 8n), Vector.gp);
	t.is(write(toCr4, 0x20n | Cr4.pcide), undefined);
	const keeping = BigInt(tables) | (1n << 63n);
	t.deepEqual([write(toCr3, keeping), write(toCr3, keeping, 0x20n | Cr4.pcide)], [Vector.gp, undefined]);
	t.is(write(toCr3, BigInt(tables) | (1n << 51n)), Vector.gp);
	// MOV CR8,RAX.
	t.deepEqual([write([0x44, 0x0f, 0x22, 0xc0], 15n), write([0x44, 0x0f, 0x22, 0xc0], 16n)], [undefined, Vector.gp]);
});

test('INVPCID looks at its type, its PCID and its address', (t) => {
	const run = (type: bigint, pcid: bigint, address: bigint, cr4 = 0n) =>
		vectorOf([0x66, 0x0f, 0x38, 0x82, 0x01], {
			prepare: (guest) => {
				registers({0: type, 1: BigInt(data)})(guest);
				new BigUint64Array(guest.ram.buffer, data, 2).set([pcid, address]);
				guest.processor.core.state.cr4 |= cr4;
			},
		});
	t.deepEqual([run(0n, 0n, 5n), run(1n, 0n, 0n), run(2n, 5n, 0n), run(3n, 5n, 0n)], Array(4).fill(undefined));
	t.deepEqual(
		[run(4n, 0n, 0n), run(0n, 5n, 0n), run(2n, 0x1000n, 0n), run(0n, 0n, 1n << 60n)],
		Array(4).fill(Vector.gp),
	);
	t.is(run(0n, 5n, 0n, Cr4.pcide), undefined);
	t.is(vectorOf([0x66, 0x0f, 0x38, 0x82, 0x01], {isUser: true, prepare: registers({1: BigInt(data)})}), Vector.gp);
});

test('INVLPG forgets a page, of a large one all of it, and code that was there', (t) => {
	const linear = 0x60_0000;
	const pages = tables + 0x3000;
	const entry = BigInt(tables + 0x2000 + 3 * 8);
	/** Two frames with MOV BL,n; RET, of which the page is the second after the first call. */
	const run = (isLarge: boolean, invalidated: number) => {
		const frames = [0x22_0000, 0x23_0000];
		// CALL RSI; ADD BH,BL; MOV [RDI],R8; INVLPG [R9]; CALL RSI; ADD BH,BL.
		const call = [0xff, 0xd6, 0x00, 0xdf];
		return runBytes([...call, 0x4c, 0x89, 0x07, 0x41, 0x0f, 0x01, 0x39, ...call], {
			prepare: (guest) => {
				const directory = new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512);
				directory[3] = isLarge ? 0x20_0087n : BigInt(pages) | 7n;
				new BigUint64Array(guest.ram.buffer, pages, 512)[0] = BigInt(frames[0] as number) | 7n;
				const inPage = isLarge ? 0x2_0000 : 0;
				for (const [number, frame] of frames.entries()) guest.ram.set([0xb3, number + 1, 0xc3], frame);
				guest.ram.set([0xb3, 2, 0xc3], 0x2_0000);
				registers({
					6: BigInt(linear + inPage),
					7: isLarge ? entry : BigInt(pages),
					8: isLarge ? 0x87n : BigInt(frames[1] as number) | 7n,
					9: BigInt(linear + invalidated),
				})(guest);
			},
		}).general[3];
	};
	t.is((run(false, 0x123) ?? 0n) >> 8n, 3n);
	t.is((run(true, 0x1f_0000) ?? 0n) >> 8n, 3n);
});

test('INVLPG forgets a large page each time it is known anew, also beside others 64 such pages away', (t) => {
	const [linear, distance] = [0x60_0000, 64 * 2 ** 21];
	const [load, loadOther] = [
		[0xc1, 0xe3, 8, 0x8a, 0x1e],
		[0x41, 0x8a, 0x0a],
	];
	for (const order of [load, [...load, ...loadOther], [...loadOther, ...load]]) {
		// SHL EBX,8; MOV BL,[RSI]; MOV CL,[R10]. MOV [RDI],R8; XCHG R8,R11; INVLPG [R9].
		const remap = [0x4c, 0x89, 0x07, 0x4d, 0x87, 0xd8, 0x41, 0x0f, 0x01, 0x39];
		const {general} = runBytes(
			[order, order, order, order].flatMap((loads) => [...loads, ...remap]),
			{
				prepare(guest) {
					const directory = new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512);
					directory[linear / 2 ** 21] = 0x20_0087n;
					directory[(linear + distance) / 2 ** 21] = 0x87n;
					guest.ram[0x20_8000] = 1;
					guest.ram[0x8000] = 2;
					registers({
						...{3: 0n, 6: BigInt(linear + 0x8000), 7: BigInt(tables + 0x2000 + (linear / 2 ** 21) * 8), 8: 0x87n},
						...{9: BigInt(linear + 0x1f_0000), 10: BigInt(linear + distance), 11: 0x20_0087n},
					})(guest);
				},
			},
		);
		t.is(general[3], 0x0102_0102n);
	}
});

test('translations of global pages outlast CR3, those of others and CR4.PGE do not', (t) => {
	const linear = 0x60_0000;
	/** Loads a byte, changes the page's entry, writes a control register, and loads once more: what the second load found. */
	const run = (isGlobal: boolean, register: 'cr3' | 'cr4') => {
		// MOV BL,[RSI]; MOV [RDI],R8; MOV RAX,CR3; MOV CR3,RAX; MOV BL,[RSI], and with CR4 XOR AL,AL in between.
		const reload =
			register === 'cr3' ? [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8] : [0x0f, 0x20, 0xe0, 0x34, 0x80, 0x0f, 0x22, 0xe0];
		return runBytes([0x8a, 0x1e, 0x4c, 0x89, 0x07, ...reload, 0x8a, 0x1e], {
			prepare: (guest) => {
				guest.processor.core.state.cr4 |= Cr4.pge;
				const flag = isGlobal ? 0x100n : 0n;
				new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512)[3] = 0x20_0087n | flag;
				guest.ram[0x20_8000] = 1;
				guest.ram[0x8000] = 2;
				registers({6: BigInt(linear + 0x8000), 7: BigInt(tables + 0x2000 + 24), 8: 0x87n | flag})(guest);
			},
		}).general[3];
	};
	t.deepEqual([run(false, 'cr3'), run(true, 'cr3'), run(true, 'cr4')], [2n, 1n, 2n]);
});

test('tables of PAE are looked at when they are loaded', (t) => {
	const run = (pointer: bigint) => {
		// MOV CR3,EAX; HLT in 32-bit code.
		const {vector} = runBytes([0x0f, 0x22, 0xd8, 0xf4], {
			prepare: ({processor, ram}) => {
				const {state} = processor.core;
				const words = new BigUint64Array(ram.buffer);
				words.set([BigInt(tables + 0x2000) | 1n, pointer, 0n, 0n], (tables + 0x6000) / 8);
				words[descriptors / 8 + 1] = 0x00cf_9b00_0000_ffffn;
				// A gate of 32 bits to MOV AL,13; OUT 80h,AL; HLT.
				words[(tables + 0x5000) / 8 + 13] = 0x0020_8e00_0008_40d0n;
				Object.assign(state.idtr, {base: BigInt(tables + 0x5000), limit: 0xff});
				Object.assign(state.gdtr, {base: BigInt(descriptors), limit: 0x17});
				Object.assign(state, {efer: 0n, cr3: BigInt(tables + 0x6000)});
				Object.assign(state.segments[1] ?? {}, {attributes: 0xc09b, selector: 8});
				state.general[0] = BigInt(tables + 0x6000);
			},
		});
		return vector;
	};
	t.deepEqual([run(0n), run(0x1e6n), run(0x1e7n), run(1n | (1n << 45n))], [undefined, undefined, Vector.gp, Vector.gp]);
});

test('the number of a hypercall and its arguments have all bits of the mode', (t) => {
	const calls: unknown[] = [];
	const hypercall = (number: bigint, values: readonly bigint[], bits: 32 | 64) => {
		calls.push([number, values[0], bits]);
		return -1n;
	};
	const high = 1n << 40n;
	const call = (attributes: number) => {
		const prepare = (guest: GuestProcessor) => {
			registers({0: high | 5n, 3: high | 7n})(guest);
			Object.assign(guest.processor.core.state.segments[1] ?? {}, {attributes});
		};
		return runBytes([0x0f, 0x01, 0xc1], {prepare, hypercall}).general[0];
	};
	t.deepEqual([call(0xa09b), call(0xc09b)], [2n ** 64n - 1n, 0xffff_ffffn]);
	t.deepEqual(calls, [
		[high | 5n, high | 7n, 64],
		[5n, 7n, 32],
	]);
});
