import test from 'ava';
import type {GuestProcessor} from './guest-processor.ts';
import {runBytes} from './raw-code.ts';

const area = 0x28_0000;
/** CR4: PAE, OSFXSR, OSXMMEXCPT. */
const prepare = ({processor}: GuestProcessor) => {
	processor.core.state.cr4 = 0x620n;
};
/** MOV RDI,area: what RDI points to in all of these. */
const toArea = [0xbf, 0, 0, 0x28, 0];
const fxsave = [0x0f, 0xae, 0x07];
const fxsave64 = [0x48, ...fxsave];
const fxrstor64 = [0x48, 0x0f, 0xae, 0x0f];

test('FXSAVE has what the x87 and XMM registers hold, and FXRSTOR gives it back', (t) => {
	const code = [
		...toArea,
		...[0xd9, 0xe8, 0xd9, 0xeb], // FLD1; FLDPI
		...[0x48, 0xc7, 0xc0, 0x78, 0x56, 0x34, 0x12, 0x66, 0x4c, 0x0f, 0x6e, 0xf8], // MOV RAX,12345678H; MOVQ XMM15,RAX
		...fxsave64,
		...[0xdb, 0xe3, 0x66, 0x45, 0x0f, 0xef, 0xff], // FNINIT; PXOR XMM15,XMM15
		...fxrstor64,
	];
	const {vector, processor, ram} = runBytes(code, {prepare});
	t.is(vector, undefined);
	const view = new DataView(ram.buffer, area);
	t.deepEqual([view.getUint16(0, true), view.getUint16(2, true) >> 11, view.getUint8(4)], [0x37f, 6, 0xc0]);
	t.deepEqual([view.getBigUint64(32, true), view.getUint16(40, true)], [0xc90f_daa2_2168_c235n, 0x4000]);
	t.deepEqual([view.getBigUint64(48, true), view.getUint16(56, true)], [1n << 63n, 0x3fff]);
	t.is(view.getUint32(24, true), 0x1f80);
	t.is(view.getBigUint64(160 + 15 * 16, true), 0x1234_5678n);
	const {state, x87} = processor.core;
	t.deepEqual(x87.registers.get(0), {significand: 0xc90f_daa2_2168_c235n, signExponent: 0x4000});
	t.deepEqual([x87.registers.tags, x87.registers.status >> 11], [0xc0, 6]);
	t.is(state.vector256[15 * 4], 0x1234_5678n);
});

for (const [what, code, vector] of [
	['an area at no multiple of 16', [...toArea, 0xff, 0xc7, ...fxsave], 13],
	['a bit of MXCSR that does not exist', [...toArea, 0xc7, 0x47, 24, 0, 0, 1, 0, ...fxrstor64], 13],
	['CR0.TS', [0x0f, 0x20, 0xc0, 0x83, 0xc8, 8, 0x0f, 0x22, 0xc0, ...toArea, ...fxsave], 7],
] as const)
	test(`${what} is an exception, and nothing is saved`, (t) => {
		const outcome = runBytes(code, {prepare});
		t.is(outcome.vector, vector);
		t.deepEqual([...outcome.ram.subarray(area + 160, area + 512)], new Array(352).fill(0));
	});
