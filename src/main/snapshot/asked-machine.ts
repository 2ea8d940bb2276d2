import {
	anyObject,
	listOf,
	mapOf,
	oneOf,
	optional,
	partOf,
	textLike,
	textUpTo,
	type ValueOf,
	wholeNumber,
	yesOrNo,
} from '#support/saved-state';
import {cpuModelNames} from '#vcpu-worker/cpuid';

const whole = wholeNumber(Number.MAX_SAFE_INTEGER);
/** Names are shown to a person. */
const name = textLike(/^[ -~]{1,128}$/);
/** More than any machine has, and no long list. */
const most = 4096;
/** A kernel's command line has 2048 letters at most (Linux, COMMAND_LINE_SIZE), and each of these words is of one. */
const mostLetters = 4096;

const portOptions = {hotplug: yesOrNo, button: optional(yesOrNo), acs: whole, pasid: yesOrNo};
const rootComplex = partOf({
	name,
	segment: whole,
	startBus: whole,
	endBus: whole,
	lowMmioBytes: whole,
	highMmioBytes: whole,
	lowMmioBase: optional(whole),
	highMmioBase: optional(whole),
	preserveBars: yesOrNo,
	node: optional(whole),
});
const device = partOf({
	kind: textLike(/^[a-z][a-z0-9-]{0,63}$/),
	options: anyObject,
	place: optional(partOf({on: name, devfn: whole})),
});
const deviceName = {
	name: (key: string) => key,
	parse: (key: string) => (/^[ -~]{1,128}$/.test(key) ? key : undefined),
};

/**
 * Tells which machine is to be asked for when a snapshot is restored; see `MachineShape`. What follows from it is
 * not read: it is compared with what the new machine has.
 */
export const askedMachine = partOf({
	processors: whole,
	memoryBytes: whole,
	topology: partOf({
		vpsPerSocket: optional(whole),
		smt: oneOf(['auto', 'force', 'off']),
		x2apic: oneOf(['auto', 'supported', 'off', 'on']),
		apicIdOffset: whole,
	}),
	irqchip: oneOf(['kernel', 'split']),
	numa: optional(
		partOf({
			nodes: listOf(partOf({bytes: whole, vps: optional(listOf(whole, most))}), most),
			distances: listOf(partOf({from: whole, to: whole, distance: whole}), most * 16),
		}),
	),
	pcie: optional(
		partOf({
			rootComplexes: listOf(rootComplex, most),
			rootPorts: listOf(partOf({rootComplex: name, name, devfn: optional(whole), ...portOptions}), most),
			switches: listOf(partOf({port: name, name, downstreamPorts: whole, ...portOptions}), most),
			ecamBelow4Gb: yesOrNo,
			genericInitiators: optional(listOf(partOf({port: name, node: whole}), most)),
		}),
	),
	devices: mapOf(deviceName, device, most),
});

/** See {@link askedMachine}. */
export type AskedMachine = ValueOf<typeof askedMachine>;

/** A snapshot's record of the processor that was asked for when its machine began. */
export const savedCpu = partOf({
	model: oneOf(cpuModelNames),
	with: listOf(textLike(/^[\w.-]{1,40}$/), most),
	without: listOf(textLike(/^[\w.-]{1,40}$/), most),
	tscKhz: optional(whole),
});

/** A snapshot's record of what its machine booted, without anything of the host: words for a kernel that is named again. */
export const savedBoot = partOf({
	kind: oneOf(['embedded', 'linux', 'flat', 'none']),
	commandLine: optional(listOf(textUpTo(mostLetters), most)),
	/** Linux gets the words of the command line alone. */
	isBare: optional(yesOrNo),
});

/** See {@link savedBoot}. */
export type SavedBoot = ValueOf<typeof savedBoot>;
