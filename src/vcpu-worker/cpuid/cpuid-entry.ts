/** One CPUID leaf as KVM exchanges it (`struct kvm_cpuid_entry2`). All numbers are unsigned 32-bit. */
export interface CpuidEntry {
	/** The leaf: EAX on input. */
	readonly function: number;
	/** The subleaf: ECX on input. Zero when {@link significantIndex} is false. */
	readonly index: number;
	/** The answer depends on the subleaf (`KVM_CPUID_FLAG_SIGNIFCANT_INDEX`). */
	readonly significantIndex: boolean;
	readonly eax: number;
	readonly ebx: number;
	readonly ecx: number;
	readonly edx: number;
}
