import {
	announced,
	bitsOf,
	type CpuFeature,
	type CpuModel,
	cpuFeatures,
	cpuidRules,
	cpuModels,
	decidedElsewhere,
	guestCpuid,
	kvmFeatures,
	otherNames,
	wordName,
} from '#vcpu-worker/cpuid';
import {keptBack, offeredCpuid, wholeLevel} from '#vcpu-worker/software/back-end';

/** The guide's page on processors, in Markdown: what `openvmm help --cpu` prints. */
export function cpuPage(): string {
	const offered = new Set(announced(offeredCpuid));
	const options = {x2apic: true, tscDeadline: true};
	const shown = new Set(announced(guestCpuid(offeredCpuid, options)(onlyOne)));
	return [
		'# Processors by model and feature',
		'',
		'<!-- Made by `npx openvmm help --cpu > guide/reference/cpu.md` from the tables in src/vcpu-worker/cpuid and of the software processor. -->',
		'',
		'`--cpu MODEL[,+FEATURE…][,-FEATURE…][,tsc_khz=KHZ]`, and `cpu` of a `VmConfig`, say what the processors of a machine announce by CPUID. A',
		'feature that is hidden takes along those that do not exist without it; one that is added brings those that it does not exist without. Leaves and',
		'widths that follow from features go with them. A model or feature that the back end does not have here is an error that names it',
		'(`CPU_FEATURES_MISSING`); so is a name that nobody knows, and a frequency that KVM cannot scale its host’s counter to (`CPU_COUNTER_FREQUENCY`).',
		'',
		'| model | | software | features |',
		'|---|---|---|---|',
		...Object.entries<CpuModel>(cpuModels).map(
			([name, {summary, features}]) =>
				`| \`${name}\` | ${summary} | ${onSoftware(features ?? [], offered)} | ${(features ?? []).map(code).join(' ')} |`,
		),
		'',
		'All models but `host` have beside that family, model and stepping of their own, no leaf that describes caches, 40 bits of physical addresses at',
		"most, and of KVM's interface what both back ends have. The maker is the host's with KVM, AMD with the software processor.",
		'',
		'## What is announced by default, and why',
		'',
		'Names are those of `/proc/cpuinfo` where Linux shows them, else QEMU’s; a dash or a dot is as good as an underscore. With KVM, *host* is what KVM',
		'says that the host has. What the software processor has and does not announce, or only where it is asked for, is said with its reason; an empty field is what it',
		'does not have.',
		'',
		'| feature | CPUID | software | KVM |',
		'|---|---|---|---|',
		...cpuFeatures.map(
			(feature) =>
				`| ${names(feature)} | ${wordName(feature.word)}[${feature.bit}] | ${software(feature, offered, shown)} | ${withKvm(feature)} |`,
		),
		'',
		'`--cpu` does not decide about features of which another part of the configuration does:',
		'',
		...Object.entries(decidedElsewhere).map(([name, by]) => `- ${code(name)}: ${by}`),
		'',
	].join('\n');
}

const onlyOne = {apicId: 0, threadBits: 0, socketShift: 0};
const code = (name: string) => `\`${name}\``;

const onSoftware = (features: readonly string[], offered: ReadonlySet<string>): string => {
	const missing = features.filter((name) => !offered.has(name));
	return missing.length === 0 ? 'yes' : `lacks ${missing.map(code).join(' ')}`;
};

const names = ({name}: CpuFeature): string => {
	const others = Object.entries(otherNames).filter(([, meant]) => meant === name);
	return [name, ...others.map(([other]) => other)].map(code).join(', ');
};

function software({name}: CpuFeature, offered: ReadonlySet<string>, shown: ReadonlySet<string>): string {
	const why = keptBack[name];
	if (why !== undefined) return `not announced: ${why}`;
	if (wholeLevel.includes(name))
		return `yes, where the host rounds a product with a sum once (FMA); else with \`--cpu +${name}\``;
	if (shown.has(name)) return 'yes';
	return offered.has(name) ? 'hidden' : '';
}

/** The policy's decision on what KVM offers. */
function withKvm(feature: CpuFeature): string {
	const paravirtual = kvmFeatures.find(({name}) => feature.name === `kvm_${name.toLowerCase()}`);
	if (paravirtual !== undefined) {
		const {policy, reason} = paravirtual;
		return `${policy === 'hide' ? 'hidden' : 'host'}: ${reason}`;
	}
	const bits = bitsOf(feature);
	const decisions = cpuidRules.flatMap(({action, reason, when}) =>
		(['set', 'clear'] as const).flatMap((kind) => {
			const rows = kind in action ? (action as Record<string, readonly ReturnType<typeof bitsOf>[]>)[kind] : undefined;
			const isMeant = rows?.some(
				(one) => one.function === bits.function && one.register === bits.register && (one.mask & bits.mask) !== 0,
			);
			return isMeant
				? [`${kind === 'set' ? 'shown' : 'hidden'}${when === undefined ? '' : ', in some machines'}: ${reason}`]
				: [];
		}),
	);
	return decisions.length === 0 ? 'host' : decisions.join('; ');
}
