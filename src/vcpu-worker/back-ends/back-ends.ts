import {existsSync} from 'node:fs';
import {VmmError} from '#support/errors';
import {hostFacts, hostObstacle} from '#support/host';
import type {BackEnd, Hypervisor, PartitionHandle} from '#vcpu-worker/hypervisor';
import {type ChosenHypervisor, choose} from './choose.ts';

/** A hypervisor that can be asked for. */
interface BackEndRow {
	/** Loads it; `load` does so once. */
	load(): Promise<Hypervisor & BackEnd>;
	/** Guesses whether this host has it. Loads nothing, and takes microseconds. */
	isLikely(): boolean;
}

/** The back ends that there are, in the order in which `auto` tries them. Flags, checks and doctor go by this table. */
const backEnds = {
	kvm: {
		load: async () => (await import('#vcpu-worker/kvm')).kvm,
		// Where its module is that of hosts without virtualization, stock kernels do not get through boot.
		isLikely: () => existsSync('/dev/kvm') && !existsSync('/sys/module/kvm_pvm'),
	},
	software: {
		load: async () => (await import('#vcpu-worker/software/back-end')).software,
		isLikely: () => true,
	},
} as const satisfies Record<string, BackEndRow>;

/** Names of the hypervisors that can be asked for. */
export type HypervisorKind = keyof typeof backEnds;

const hypervisorKinds = Object.keys(backEnds) as HypervisorKind[];

/** Choice of a hypervisor: one by its name, or `auto`, the first that works here. */
export type HypervisorOption = 'auto' | HypervisorKind;

/** What a thread has loaded. To ask for a module again takes Node.js a tenth of a millisecond. */
const loaded: {[kind in HypervisorKind]?: Promise<Hypervisor & BackEnd>} = {};

function load(kind: HypervisorKind): Promise<Hypervisor & BackEnd> {
	loaded[kind] ??= backEnds[kind].load();
	return loaded[kind];
}

export const hypervisorOptions: readonly HypervisorOption[] = ['auto', ...hypervisorKinds];

/** All hypervisors that can be asked for. */
export const loadHypervisors = (): Promise<Hypervisor[]> => Promise.all(hypervisorKinds.map(load));

/**
 * Picks the hypervisor that a machine runs on. One that is asked for says itself what is wrong, when it is used.
 * @throws VmmError HOST_ARCHITECTURE, HOST_LIBC where none can; of the first one where `auto` finds none that works
 */
export async function chooseHypervisor(wanted: HypervisorOption, host = hostFacts()): Promise<ChosenHypervisor> {
	const obstacle = hostObstacle(host);
	if (obstacle !== undefined) throw new VmmError({...obstacle, context: {...host}});
	if (wanted !== 'auto') return {hypervisor: await load(wanted), reason: 'it was asked for'};
	return choose(hypervisorKinds.map((kind) => () => load(kind)));
}

/** Tells whether it is worth preparing for a machine, before anything is loaded that could tell. */
export const isHypervisorLikely = (wanted: HypervisorOption): boolean =>
	hypervisorKinds.some((kind) => (wanted === 'auto' || wanted === kind) && backEnds[kind].isLikely());

/** The back end that a partition belongs to. */
export async function backEndOf({kind, backEnd}: PartitionHandle): Promise<BackEnd> {
	if (backEnd !== undefined) return backEnd;
	if (!Object.hasOwn(backEnds, kind)) throw new TypeError(`there is no back end ${kind}`);
	return load(kind as HypervisorKind);
}

/** The back end that is likely to be needed; undefined where none is. */
export async function likelyBackEnd(): Promise<(Hypervisor & BackEnd) | undefined> {
	const kind = hypervisorKinds.find((one) => backEnds[one].isLikely());
	return kind && load(kind);
}

/** Begins to load the back end that is likely to be needed. What goes wrong is met by whoever needs it. */
export function warmBackEnd(): void {
	likelyBackEnd()
		.then((backEnd?: BackEnd) => backEnd?.warm?.())
		.catch(() => {});
}
