import type {ViewOf} from '#support/wire';
import type {CpuState} from '#vcpu-worker/software/state';

type State = ViewOf<typeof CpuState>;

/** Places of the x87's part in an image of FXSAVE in its 64-bit form (Intel SDM volume 1, table 10-2). */
const at = {control: 0, status: 2, tags: 4, opcode: 6, instruction: 8, data: 16, registers: 32} as const;
const registerStride = 16;
const topShift = 11;

/** Writes the x87's part of such an image. */
export function saveX87Image(state: State, view: DataView): void {
	view.setUint16(at.control, state.x87Control, true);
	view.setUint16(at.status, state.x87Status, true);
	view.setUint8(at.tags, state.x87Tags);
	view.setUint16(at.opcode, state.x87Opcode, true);
	view.setBigUint64(at.instruction, state.x87InstructionPointer, true);
	view.setBigUint64(at.data, state.x87DataPointer, true);
	for (const [index, register] of stack(state)) {
		view.setBigUint64(at.registers + index * registerStride, register.significand, true);
		view.setUint16(at.registers + index * registerStride + 8, register.signExponent, true);
	}
}

/** Takes the x87's part of one. */
export function takeX87Image(state: State, view: DataView): void {
	state.x87Control = view.getUint16(at.control, true);
	state.x87Status = view.getUint16(at.status, true);
	state.x87Tags = view.getUint8(at.tags);
	state.x87Opcode = view.getUint16(at.opcode, true) & 0x7ff;
	state.x87InstructionPointer = view.getBigUint64(at.instruction, true);
	state.x87DataPointer = view.getBigUint64(at.data, true);
	for (const [index, register] of stack(state)) {
		register.significand = view.getBigUint64(at.registers + index * registerStride, true);
		register.signExponent = view.getUint16(at.registers + index * registerStride + 8, true);
	}
}

/** Registers by their places in the stack. */
function* stack(state: State): Generator<readonly [number, State['x87'][number] & object]> {
	const top = (state.x87Status >> topShift) & 7;
	for (let index = 0; index < 8; index++) {
		const register = state.x87[(top + index) & 7];
		if (register !== undefined) yield [index, register];
	}
}
