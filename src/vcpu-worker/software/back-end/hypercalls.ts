import type {LocalApics} from '#vcpu-worker/software/local-apic';
import {Request} from '#vcpu-worker/software/state';

/** Numbers of KVM's hypercalls (Linux: Documentation/virt/kvm/x86/hypercalls.rst). */
const Call = {KICK_CPU: 5, SEND_IPI: 10} as const;
/** -KVM_ENOSYS. */
const unknown = -1000n;
const idsOfBitmap = 128;

/**
 * Does what a guest calls KVM for.
 * @param values - RBX, RCX, RDX and RSI
 * @returns RAX
 */
export function hypercall(
	apics: LocalApics,
	alert: (processor: number, request: number) => void,
	number: number,
	values: readonly bigint[],
): bigint {
	const [first = 0n, second = 0n, third = 0n, fourth = 0n] = values;
	switch (number) {
		case Call.KICK_CPU: {
			const processor = apics.withId(Number(second & 0xffff_ffffn));
			if (processor !== undefined) alert(processor, Request.UNHALT);
			return 0n;
		}
		case Call.SEND_IPI: {
			const bitmap = first | (second << 64n);
			const lowest = Number(third & 0xffff_ffffn);
			let sent = 0n;
			for (let bit = 0; bit < idsOfBitmap; bit++) {
				if (((bitmap >> BigInt(bit)) & 1n) === 0n) continue;
				apics.deliver(Number(fourth & 0x7ffn), lowest + bit, false, false);
				sent++;
			}
			return sent;
		}
		default:
			return unknown;
	}
}
