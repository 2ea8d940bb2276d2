import type {Instruction} from '#vcpu-worker/software/decode';
import {generalProtection, privilegeOf} from '#vcpu-worker/software/system/registers';
import {addressOf, operandFault} from './operands.ts';
import type {After, Parts} from './parts.ts';

const bytes = 16;
/** Numbers of RAX, RDX, RBX and RCX. */
const expected = {low: 0, high: 2} as const;
const replacement = {low: 3, high: 1} as const;

/**
 * LOCK CMPXCHG16B (SDM volume 2): no atomic operation of WebAssembly is as wide, so it is done while no other processor executes code. ZF
 * alone changes.
 */
export function compareExchange16(parts: Parts, {operands: [operand], addressSize}: Instruction): After {
	const {core, mmu} = parts;
	const {state} = core;
	const at = addressOf(parts, operand, addressSize, bytes, 'write');
	if ((at & 15n) !== 0n) throw generalProtection();
	const isUser = privilegeOf(core) === 3;
	const found = new DataView(new ArrayBuffer(bytes));
	const area = new Uint8Array(found.buffer);
	const half = (offset: number) => found.getBigUint64(offset, true);
	mmu.exclusively(() => {
		// Here: until now others could take the page away.
		if (!mmu.canWrite(at, bytes, isUser)) throw operandFault(parts, operand);
		mmu.readBytes(at, area, isUser);
		const isEqual = half(0) === state.general[expected.low] && half(8) === state.general[expected.high];
		state.zero = isEqual ? 0n : 1n;
		if (!isEqual) {
			state.general[expected.low] = half(0);
			state.general[expected.high] = half(8);
			return;
		}
		found.setBigUint64(0, state.general[replacement.low] as bigint, true);
		found.setBigUint64(8, state.general[replacement.high] as bigint, true);
		mmu.writeBytes(at, area, isUser);
	});
	return 'next';
}
