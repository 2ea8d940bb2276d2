import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {generalProtection, privilegeOf} from '#vcpu-worker/software/system/registers';
import {addressOf, operandFault} from './operands.ts';
import type {After, Parts} from './parts.ts';

const bytes = 16;
/** Numbers of RAX, RDX, RBX and RCX. */
const expected = {low: 0, high: 2} as const;
const replacement = {low: 3, high: 1} as const;

/**
 * LOCK CMPXCHG16B (SDM volume 2). No atomic operation of WebAssembly is as wide, so it is the host's own instruction where the host has it: a
 * Linux with four processors executes five thousand of them until it is up. Else, and where the TLB does not know the place, it is done while no
 * other processor executes code. ZF alone changes.
 */
export function compareExchange16(parts: Parts, {operands: [operand], addressSize}: Instruction): After {
	const {core, mmu} = parts;
	const {state} = core;
	const at = addressOf(parts, operand, addressSize, bytes, 'write');
	if ((at & 15n) !== 0n) throw generalProtection();
	const isUser = privilegeOf(core) === 3;
	const {general} = state;
	const words = BigUint64Array.from(
		[expected, replacement].flatMap(({low, high}) => [general[low] as bigint, general[high] as bigint]),
	);
	const place = mmu.exchangeWide === undefined ? -1 : mmu.placeOfWrite(at, bytes, isUser);
	const isEqual = place < 0 ? exchangeAlone(parts, operand, at, words) : mmu.exchangeWide?.(place, words);
	state.zero = isEqual ? 0n : 1n;
	if (!isEqual) [general[expected.low], general[expected.high]] = [words[0] as bigint, words[1] as bigint];
	return 'next';
}

/** Does what `WideExchange` says while no other processor executes code. */
function exchangeAlone(parts: Parts, operand: Operand | undefined, at: bigint, words: BigUint64Array): boolean {
	const {core, mmu} = parts;
	const isUser = privilegeOf(core) === 3;
	const found = new BigUint64Array(2);
	let isEqual = false;
	mmu.exclusively(() => {
		// Here: until now others could take the page away.
		if (!mmu.canWrite(at, bytes, isUser)) throw operandFault(parts, operand);
		mmu.readBytes(at, new Uint8Array(found.buffer), isUser);
		isEqual = found[0] === words[0] && found[1] === words[1];
		if (isEqual) mmu.writeBytes(at, new Uint8Array(words.buffer, bytes, bytes), isUser);
		else words.set(found);
	});
	return isEqual;
}
