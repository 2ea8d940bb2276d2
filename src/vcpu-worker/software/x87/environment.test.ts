import test from 'ava';
import {CpuState} from '#vcpu-worker/software/state';
import {environmentBytes, loadEnvironment, storeEnvironment} from './environment.ts';
import {X87Registers} from './registers.ts';

/** A state whose registers hold a number, 0, a NaN, and nothing. */
function stateWithRegisters() {
	const memory = new SharedArrayBuffer(0x1000);
	const state = CpuState.on(memory, 0);
	const registers = new X87Registers(memory);
	registers.initialize();
	registers.push({signExponent: 0x3fff, significand: 1n << 63n});
	registers.push({signExponent: 0, significand: 0n});
	registers.push({signExponent: 0x7fff, significand: 3n << 62n});
	Object.assign(state, {x87InstructionPointer: 0x1_2345n, x87DataPointer: 0x5_4321n, x87Opcode: 0x1f7});
	return {state, registers};
}

/** FCW; FSW with TOP 5; FTW, whose register 5 is special, 6 zero, 7 valid. */
const control = [0x37f, 0x2800, 0x1bff];

for (const [wordBytes, isReal, expected] of [
	[4, false, [0xffff_037f, 0xffff_2800, 0xffff_1bff, 0x1_2345, 0x1f7_0000, 0x5_4321, 0xffff_0000]],
	[4, true, [0xffff_037f, 0xffff_2800, 0xffff_1bff, 0xffff_2345, 0x11f7, 0xffff_4321, 0x5000]],
	[2, false, [...control, 0x2345, 0, 0x4321, 0]],
	[2, true, [...control, 0x2345, 0x11f7, 0x4321, 0x5000]],
] as const) {
	const form = {wordBytes, isReal};
	test(`an environment in words of ${wordBytes} bytes, ${isReal ? '' : 'not '}of real mode, has its form, and is taken back`, (t) => {
		const {state, registers} = stateWithRegisters();
		const view = new DataView(new ArrayBuffer(environmentBytes(form)));
		storeEnvironment(state, registers, form, view);
		const words = expected.map((_, index) =>
			wordBytes === 4 ? view.getUint32(index * 4, true) : view.getUint16(index * 2, true),
		);
		t.deepEqual(words, [...expected]);

		const other = stateWithRegisters();
		other.registers.initialize();
		loadEnvironment(other.state, other.registers, form, view);
		const taken = ({state: {x87Control, x87Status, x87Tags, x87InstructionPointer, x87DataPointer}}: typeof other) => [
			x87Control,
			x87Status,
			x87Tags,
			BigInt.asUintN(16, x87InstructionPointer),
			BigInt.asUintN(16, x87DataPointer),
		];
		t.deepEqual(taken(other), taken({state, registers}));
		t.is(other.state.x87Opcode, wordBytes === 2 && !isReal ? 0 : 0x1f7);
	});
}
