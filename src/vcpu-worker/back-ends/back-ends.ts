import type {BackEnd, Hypervisor, PartitionHandle} from '#vcpu-worker/hypervisor';

/** The back ends that there are. Each is loaded when it is first asked for, once on every thread. */
const backEnds = {
	kvm: async () => (await import('#vcpu-worker/kvm')).kvm,
} as const satisfies Record<string, () => Promise<Hypervisor & BackEnd>>;

/** Names of the hypervisors that can be asked for. */
export type HypervisorKind = keyof typeof backEnds;

/** The hypervisor of a name. */
export const loadHypervisor = (kind: HypervisorKind): Promise<Hypervisor> => backEnds[kind]();

/** The back end that a partition belongs to. */
export async function backEndOf({kind, backEnd}: PartitionHandle): Promise<BackEnd> {
	if (backEnd !== undefined) return backEnd;
	if (!Object.hasOwn(backEnds, kind)) throw new TypeError(`there is no back end ${kind}`);
	return backEnds[kind as HypervisorKind]();
}

/** Begins to load the back end that is likely to be needed. */
export function warmBackEnd(): void {
	void backEnds.kvm();
}
