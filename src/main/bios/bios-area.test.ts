import test from 'ava';
import {ah, ax, bp, byte, createAssembler, sp} from '#flowey/x86-assembler';
import {bootLayout} from '#main/loader';
import {buildBiosArea} from './bios-area.ts';

/** The first MiB with the area in it. */
function memory(hasSerial: boolean): DataView {
	const bytes = new Uint8Array(2 ** 20);
	for (const {gpa, data} of buildBiosArea(hasSerial)) bytes.set(data, gpa);
	return new DataView(bytes.buffer);
}
const words = (view: DataView, at: number, count: number) =>
	Array.from({length: count}, (_, i) => view.getUint16(at + 2 * i, true));

test('the data area says where conventional memory ends and which serial ports there are', (t) => {
	const view = memory(true);
	t.deepEqual(words(view, 0x400, 4), [0x3f8, 0x2f8, 0x3e8, 0x2e8]);
	t.is(view.getUint16(0x40e, true) * 16, bootLayout.ebda);
	t.is(view.getUint16(0x413, true), 639);
	t.is(view.getUint8(bootLayout.ebda), 1, 'KiB of the extended data area, which reaches to 640 KiB');
	t.is((view.getUint16(0x410, true) >> 9) & 7, 4);
});

test('without serial ports the data area has none', (t) => {
	const view = memory(false);
	t.deepEqual(words(view, 0x400, 4), [0, 0, 0, 0]);
	t.is((view.getUint16(0x410, true) >> 9) & 7, 0);
});

test('every interrupt of real mode comes back, and those that a program calls say why', (t) => {
	const view = memory(true);
	const code = (vector: number) => {
		const at = view.getUint16(vector * 4 + 2, true) * 16 + view.getUint16(vector * 4, true);
		return Buffer.from(view.buffer, at, 12).toString('hex');
	};
	const assembled = (emit: (asm: ReturnType<typeof createAssembler>) => void) => {
		const asm = createAssembler({origin: 0, bits: 16});
		emit(asm);
		asm.iret();
		return Buffer.from(asm.finish().bytes).toString('hex');
	};
	const refuse = assembled(({push, mov, or, pop}) => {
		push(bp);
		mov(bp, sp);
		or(byte(bp, 6), 0x41); // carry and zero of the caller's flags, above BP, IP and CS
		pop(bp);
		mov(ah, 0x86);
	});
	for (let vector = 0; vector < 256; vector++) {
		if (vector === 0x11)
			t.is(
				code(vector).slice(0, 8),
				assembled(({mov}) => mov(ax, view.getUint16(0x410, true))),
			);
		else if (vector === 0x12)
			t.is(
				code(vector).slice(0, 8),
				assembled(({mov}) => mov(ax, 639)),
			);
		else if (vector >= 0x10 && vector <= 0x1a) t.is(code(vector).slice(0, refuse.length), refuse, `${vector}`);
		else
			t.is(
				code(vector).slice(0, 2),
				assembled(() => {}),
				`${vector}`,
			);
	}
});
