import {readFileSync} from 'node:fs';
import test from 'ava';
import {formBytes, formKey, gnuBytes, hasGnuAssembler} from './gnu-assembler.ts';
import {byte, createAssembler, dword, eax, ebx, rax, rbx, rsp, sil, times} from './index.ts';
import {type InstructionForm, instructionForms} from './instruction-forms.ts';

const goldenFile = new URL('./instruction-forms.json', import.meta.url);
const golden: Record<string, string> = JSON.parse(readFileSync(goldenFile, 'utf8'));

function assemble(form: InstructionForm): string {
	const asm = createAssembler({origin: 0, bits: form.bits});
	form.build(asm);
	return formBytes(asm.finish().bytes);
}

const testWithGnu = hasGnuAssembler() ? test : test.skip;

test('every instruction form gives its golden bytes', (t) => {
	const wrong = instructionForms()
		.map((form) => ({form: formKey(form), bytes: assemble(form), golden: golden[formKey(form)]}))
		.filter((form) => form.bytes !== form.golden);
	t.deepEqual(wrong, []);
	t.is(instructionForms().length, Object.keys(golden).length);
});

testWithGnu('the golden bytes are what GNU as gives (skipped where as or objcopy is missing)', (t) => {
	t.deepEqual(gnuBytes(instructionForms()), golden);
});

test('labels count from the origin', (t) => {
	const asm = createAssembler({origin: 0x100000, bits: 64});
	asm.nop();
	asm.label('here');
	asm.qwords('here');
	const {bytes, labels} = asm.finish();
	t.is(labels.get('here'), 0x100001);
	t.is(Buffer.from(bytes).readBigUInt64LE(1), 0x100001n);
});

test('a jump grows only when its target is too far away', (t) => {
	const asm = createAssembler({origin: 0, bits: 64});
	asm.jmp('end');
	asm.jmp('end');
	asm.zeros(126);
	asm.label('end');
	t.is(asm.finish().bytes.length, 5 + 2 + 126);
});

test('mistakes are refused with a reason', (t) => {
	const finish = (build: (asm: ReturnType<typeof createAssembler>) => void, bits: 16 | 32 | 64 = 64) => {
		const asm = createAssembler({origin: 0, bits});
		build(asm);
		asm.finish();
	};
	t.throws(() => finish((asm) => asm.jmp('nowhere')), {message: 'Label nowhere is not defined'});
	t.throws(() => finish((asm) => [asm.label('a'), asm.label('a')]), {message: 'Label a is defined twice'});
	t.throws(() => finish((asm) => asm.mov(eax, rbx)), {message: 'Operand sizes 32 and 64 differ'});
	t.throws(() => finish((asm) => asm.mov(dword(rax), dword(rbx))), {message: /Two memory operands/});
	t.throws(() => finish((asm) => asm.add(rax, 0x1_0000_0000)), {message: 'Value 4294967296 does not fit 4 bytes'});
	t.throws(() => finish((asm) => asm.mov(rax, rbx), 32), {message: '32-bit code cannot use 64-bit registers'});
	t.throws(() => finish((asm) => asm.mov(byte(ebx), sil)), {message: /cannot address through a 32-bit register/});
	t.throws(() => finish((asm) => asm.mov(eax, dword(times(rsp, 4)))), {message: /stack pointer/});
});
