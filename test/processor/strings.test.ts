import test from 'ava';
import {Random} from '#test/silicon';
import {codeAt, runBytes, startBytes} from './raw-code.ts';

const dataAt = 0x10_0000;
/** Pages that strings lie in. */
const dataBytes = 0x4000;
const widths = [1, 2, 4, 8] as const;
/** Prefixes and opcode of MOVS and STOS by bytes of an element. */
const opcodes = {
	movs: {1: [0xa4], 2: [0x66, 0xa5], 4: [0xa5], 8: [0x48, 0xa5]},
	stos: {1: [0xaa], 2: [0x66, 0xab], 4: [0xab], 8: [0x48, 0xab]},
} as const;
const [cld, std, rep, hlt] = [0xfc, 0xfd, 0xf3, 0xf4];

test('strings are copied and filled as element by element, wherever they lie and whatever stops them', (t) => {
	const random = new Random(1);
	for (let count = 0; count < 400; count++) {
		random.restart(3, count);
		const name = random.below(2) === 0 ? 'movs' : 'stos';
		const width = widths[random.below(4)] as (typeof widths)[number];
		const isDown = random.below(4) === 0;
		const guest = startBytes([isDown ? std : cld, rep, ...opcodes[name][width], hlt]);
		const {state} = guest.processor.core;
		const data = guest.ram.subarray(dataAt, dataAt + dataBytes);
		for (let at = 0; at < dataBytes; at += 8) new DataView(data.buffer, dataAt).setBigUint64(at, random.u64());
		const elements = random.below(dataBytes / 2 / width);
		const start = isDown ? dataBytes / 2 : 0;
		const from = start + random.below(dataBytes / 2 - 8);
		// The two are often near each other.
		const near = Math.min(Math.max(from + random.below(33) - 16, start), start + dataBytes / 2 - 8);
		const to = random.below(2) === 0 ? near : start + random.below(dataBytes / 2 - 8);
		const fill = random.below(2) === 0 ? random.u64() : BigInt(random.below(256)) * 0x0101_0101_0101_0101n;
		const expected = Buffer.from(data);
		const step = isDown ? -width : width;
		const value = Buffer.alloc(8);
		value.writeBigUInt64LE(fill);
		for (let index = 0; index < elements; index++) {
			if (name === 'movs') expected.copyWithin(to + index * step, from + index * step, from + index * step + width);
			else value.copy(expected, to + index * step, 0, width);
		}
		const registers = {0: fill, 1: BigInt(elements), 6: BigInt(dataAt + from), 7: BigInt(dataAt + to)};
		Object.assign(state.general, registers);
		const before = state.instructions;
		while (guest.processor.run(random.below(700)) === 'polled');
		const what = `${count}: ${name} of ${elements} times ${width} from ${from} to ${to}, ${isDown ? 'down' : 'up'}`;
		t.is(Buffer.compare(guest.ram.subarray(dataAt, dataAt + dataBytes), expected), 0, what);
		const moved = BigInt(elements * step);
		t.deepEqual(
			[state.general[1], state.general[6], state.general[7]],
			[0n, registers[6] + (name === 'movs' ? moved : 0n), registers[7] + moved],
			what,
		);
		// Each element counts, and what is before and behind.
		const instructions = Number(state.instructions - before);
		t.true(instructions >= elements && instructions <= elements + 3, `${instructions} instructions, ${what}`);
		t.is(state.rip, BigInt(codeAt + 3 + opcodes[name][width].length), what);
	}
});

test('strings of 32-bit addresses go on at the begin of their segment, which need not begin a page', (t) => {
	// REP MOVSB of FS:ESI: behind 4 GiB of its segment there is no memory.
	const {vector, general} = runBytes([0x64, 0x67, rep, 0xa4], {
		prepare({processor}) {
			const {state} = processor.core;
			Object.assign(state.segments[4] ?? {}, {base: 0xffff_ffff_0000_0000n + BigInt(dataAt) + 0x880n});
			Object.assign(state.general, {1: 0x100n, 6: 0xffff_ff80n, 7: BigInt(dataAt) + 0x2000n});
		},
	});
	t.deepEqual([vector, general[1], general[6]], [14, 0x80n, 0n]);
});
