import type {LocalApics} from '#vcpu-worker/software/local-apic';
import {Request} from '#vcpu-worker/software/state';

/** Numbers of KVM's hypercalls (Linux: Documentation/virt/kvm/x86/hypercalls.rst). */
const Call = {KICK_CPU: 5n, SEND_IPI: 10n} as const;
/** -KVM_ENOSYS and -EINVAL. */
const unknown = -1000n;
const invalid = -22n;
/** A command of SEND_IPI: what it may not have, which is a logical destination or a shorthand, and what it delivers. */
const Ipi = {FORBIDDEN: 0xc_0800n, DELIVERED: 0x7ffn} as const;

/**
 * Does what a guest calls KVM for.
 * @param values - RBX, RCX, RDX and RSI
 * @param bits - bits of each, and of a bitmap in one
 * @returns RAX
 */
export function hypercall(
	apics: LocalApics,
	alert: (processor: number, request: number) => void,
	number: bigint,
	values: readonly bigint[],
	bits: 32 | 64,
): bigint {
	const [first = 0n, second = 0n, third = 0n, fourth = 0n] = values;
	switch (number) {
		case Call.KICK_CPU: {
			const processor = apics.withId(Number(second & 0xffff_ffffn));
			if (processor !== undefined) alert(processor, Request.UNHALT);
			return 0n;
		}
		case Call.SEND_IPI: {
			if ((fourth & Ipi.FORBIDDEN) !== 0n) return invalid;
			const bitmap = first | (second << BigInt(bits));
			const lowest = Number(third & 0xffff_ffffn);
			let sent = 0n;
			for (let bit = 0; bit < bits * 2; bit++) {
				if (((bitmap >> BigInt(bit)) & 1n) === 0n || apics.withId(lowest + bit) === undefined) continue;
				apics.deliver(Number(fourth & Ipi.DELIVERED), lowest + bit, false, false);
				sent++;
			}
			return sent;
		}
		default:
			return unknown;
	}
}
