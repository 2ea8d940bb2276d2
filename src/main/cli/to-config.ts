import {guestWatchdogKind} from '#devices/chipset/guest-watchdog';
import {type DeviceRegistry, deviceRegistry} from '#devices/registry';
import {
	type BootConfig,
	configError,
	type LogLevel,
	logLevels,
	type PcieConfig,
	type ProcessConfig,
	parseCpu,
	parseDevice,
	parseFlat,
	parseGdb,
	parseGuestAction,
	parseHaltAction,
	parseMemory,
	parseNuma,
	parseNumaDistance,
	parsePcieGenericInitiator,
	parsePcieRootComplex,
	parsePcieRootPort,
	parsePcieSwitch,
	parseSymbolFile,
	sampleHz,
	type VmConfig,
	type VmOptions,
	vmConfig,
} from '#main/config';
import {isMachineName, nameExpected} from '#main/control';
import type {SavedBoot} from '#main/snapshot';
import {parseNumber} from '#support/options';
import {hypervisorOptions} from '#vcpu-worker/back-ends';
import {cliError} from './errors.ts';
import {type Flag, type FlagName, flags} from './flags.ts';
import {oneOf} from './one-of.ts';
import type {FlagValues} from './parse.ts';

/** The environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A command line's configuration, complete. */
export interface RunConfig {
	readonly vm: VmConfig;
	readonly process: ProcessConfig;
}

/** A command line's configuration, as far as it says. */
export interface RunOptions {
	readonly vm: VmOptions;
	readonly process: ProcessConfig;
}

/** Choices that a command line may leave out because a snapshot brings them. */
export interface Saved {
	readonly boot: SavedBoot;
	/** True for the name of a device that it has. */
	hasDevice(name: string): boolean;
}

/** @throws CLI_FLAG_NEEDS */
function checkDeviceFlags(values: FlagValues<string>, {flags: rows}: DeviceRegistry): void {
	for (const {name, needs} of rows) {
		const needed = needs === undefined ? [] : [needs].flat();
		if (needed.length === 0 || !values.has(name) || needed.some((each) => values.has(each))) continue;
		throw cliError('CLI_FLAG_NEEDS', {flag: `--${name}`, needed: needed.map((each) => `--${each}`).join(' or ')});
	}
}

/** A flag's value, read: undefined without the flag. */
type Read = <T>(name: FlagName, parse: (text: string, option: string) => T) => T | undefined;

/**
 * Turns flags and environment into a configuration. What the values mean is checked here, whether they
 * make sense on this host by `checkConfig`.
 * @throws the errors of the value parsers; CLI_FLAGS_CONFLICT and CLI_FLAG_NEEDS for flags that need each other
 */
export function toConfig(values: FlagValues, env: Environment, registry: DeviceRegistry = deviceRegistry): RunConfig {
	const {vm: options, process} = toOptions(values, env, undefined, registry);
	const vm = vmConfig(options, registry);
	checkNeeds(values, vm);
	return {vm, process};
}

/** Flags that make sense only in some machines. @throws CLI_FLAG_NEEDS */
export function checkNeeds(values: FlagValues, {devices}: VmConfig): void {
	if (!values.has('guest-watchdog-action')) return;
	if (devices.some((handle) => 'kind' in handle && handle.kind === guestWatchdogKind)) return;
	throw cliError('CLI_FLAG_NEEDS', {flag: '--guest-watchdog-action', needed: '--guest-watchdog'});
}

/** The same, without what the flags do not say. @param saved - of the snapshot that the machine begins with */
export function toOptions(
	values: FlagValues,
	env: Environment,
	saved?: Saved,
	registry: DeviceRegistry = deviceRegistry,
): RunOptions {
	const read: Read = (name, parse) => {
		const text = values.last(name);
		return text === undefined ? undefined : parse(text, `--${name}`);
	};
	checkDeviceFlags(values, registry);
	const number = (min: number, max: number) => (text: string, option: string) => parseNumber(text, option, min, max);
	const options = {
		processors: {
			count: read('processors', number(1, 1024)),
			vpsPerSocket: read('vps-per-socket', number(1, 1024)),
			smt: read('smt', oneOf('auto', 'force', 'off')),
			x2apic: read('x2apic', oneOf('auto', 'supported', 'off', 'on')),
			apicIdOffset: read('apic-id-offset', number(0, 0xffff_fffe)),
		},
		cpu: read('cpu', parseCpu),
		memory: read('memory', parseMemory),
		numa: numaOptions(values),
		boot: bootConfig(values, env, saved?.boot),
		pcie: pcieOptions(values),
		devices: [
			...registry.flaggedDevices((flag) => (values as FlagValues<string>).all(flag), saved?.hasDevice),
			...values.all('device').map((text) => parseDevice(text)),
		],
		hypervisor: read('hypervisor', oneOf(...hypervisorOptions)),
		irqchip: read('irqchip', oneOf('kernel', 'split')),
		guestActions: {
			reset: read('guest-reset-action', parseGuestAction),
			shutdown: read('guest-shutdown-action', parseGuestAction),
			crash: read('guest-crash-action', parseGuestAction),
			watchdog: read('guest-watchdog-action', parseGuestAction),
			halt: read('guest-halt-action', parseHaltAction),
		},
		deviceFailure: read('device-failure', oneOf('machine', 'device')),
		guestResetLimit: read('guest-reset-limit', number(0, 1_000_000)),
		paused: values.has('paused'),
		crashDumpPath: values.last('crash-dump-path'),
	};
	return {vm: given(options) as VmOptions, process: processConfig(values, env)};
}

function numaOptions(values: FlagValues): VmOptions['numa'] {
	if (!values.has('numa')) {
		if (!values.has('numa-distance')) return undefined;
		throw cliError('CLI_FLAG_NEEDS', {flag: '--numa-distance', needed: '--numa size=SIZE'});
	}
	if (values.has('memory')) throw cliError('CLI_FLAGS_CONFLICT', {first: '--numa', second: '--memory'});
	return {
		nodes: values.all('numa').map((text) => parseNuma(text)),
		distances: values.all('numa-distance').map((text) => parseNumaDistance(text)),
	};
}

function pcieOptions(values: FlagValues): Partial<PcieConfig> | undefined {
	const rootComplexes = values.all('pcie-root-complex').map((text) => parsePcieRootComplex(text));
	const rootPorts = values.all('pcie-root-port').map((text) => parsePcieRootPort(text));
	const switches = values.all('pcie-switch').map((text) => parsePcieSwitch(text));
	const initiators = values.all('pcie-generic-initiator').map((text) => parsePcieGenericInitiator(text));
	const ecamBelow4Gb = values.has('pcie-ecam-below-4gb');
	if (rootComplexes.length > 0) {
		const genericInitiators = initiators.length > 0 ? {genericInitiators: initiators} : {};
		return {rootComplexes, rootPorts, switches, ecamBelow4Gb, ...genericInitiators};
	}
	const others = ['pcie-root-port', 'pcie-switch', 'pcie-generic-initiator', 'pcie-ecam-below-4gb'] as const;
	const flag = others.find((name) => values.has(name));
	if (flag !== undefined) throw cliError('CLI_FLAG_NEEDS', {flag: `--${flag}`, needed: '--pcie-root-complex NAME'});
	return undefined;
}

/** Words for the kernel that are not given again are those of the snapshot. */
function bootConfig(values: FlagValues, env: Environment, saved?: SavedBoot): BootConfig | undefined {
	const flat = values.last('flat');
	if (flat !== undefined) {
		const other = (['kernel', 'initrd', 'cmdline', 'no-default-cmdline'] as const).find((name) => values.has(name));
		if (other) throw cliError('CLI_FLAGS_CONFLICT', {first: '--flat', second: `--${other}`});
		return parseFlat(flat, '--flat');
	}
	const commandLine = values.has('cmdline') ? values.all('cmdline') : (saved?.commandLine ?? []);
	const kernel = values.last('kernel') ?? fromEnvironment('kernel', env);
	if (kernel !== undefined) {
		const initrd = values.last('initrd') ?? fromEnvironment('initrd', env);
		const isBare = values.has('no-default-cmdline') || saved?.isBare === true;
		return {
			kind: 'linux',
			kernel,
			...(initrd !== undefined && {initrd}),
			commandLine,
			...(isBare && {defaultWords: false}),
		};
	}
	if (values.has('initrd')) throw cliError('CLI_FLAG_NEEDS', {flag: '--initrd', needed: '--kernel FILE'});
	return saved === undefined || saved.kind === 'embedded' ? {kind: 'embedded', commandLine} : undefined;
}

/** OpenVMM's rule: the plain variable, else the one for the guest's architecture; empty means unset. */
function fromEnvironment(name: FlagName, env: Environment): string | undefined {
	const flag: Flag | undefined = flags.find((candidate) => candidate.name === name);
	const text = env[flag?.env ?? ''] ?? env[`X86_64_${flag?.env}`];
	return text === '' ? undefined : text;
}

function processConfig(values: FlagValues, env: Environment): ProcessConfig {
	const logFile = values.last('log-file');
	const pidFile = values.last('pidfile');
	const name = values.last('name');
	const controlSocket = values.last('control-socket');
	const gdb = values.last('gdb');
	const {OPENVMM_LOG: level = ''} = env;
	return {
		logLevel: level === '' ? (logFile === undefined ? 'warn' : 'info') : parseLogLevel(level),
		...(logFile !== undefined && {logFile}),
		...(pidFile !== undefined && {pidFile}),
		...(name !== undefined && {name: parseName(name)}),
		...(controlSocket !== undefined && {controlSocket}),
		...(gdb !== undefined && {gdb: parseGdb(gdb, '--gdb')}),
		...profileConfig(values),
		...(values.has('lockstep') && {lockstep: true as const}),
	};
}

function profileConfig(values: FlagValues): Pick<ProcessConfig, 'profile'> {
	const path = values.last('profile');
	if (path === undefined) {
		const flag = (['profile-rate', 'symbols'] as const).find((name) => values.has(name));
		if (flag !== undefined) throw cliError('CLI_FLAG_NEEDS', {flag: `--${flag}`, needed: '--profile PATH'});
		return {};
	}
	const rate = values.last('profile-rate');
	const hz = rate === undefined ? {} : {hz: parseNumber(rate, '--profile-rate', 1, sampleHz.most)};
	return {profile: {path, ...hz, symbols: values.all('symbols').map((text) => parseSymbolFile(text, '--symbols'))}};
}

function parseName(text: string): string {
	if (isMachineName(text)) return text;
	throw configError('CONFIG_VALUE_INVALID', {option: '--name', value: text, expected: nameExpected});
}

const parseLogLevel = (text: string): LogLevel => oneOf(...logLevels)(text.toLowerCase(), 'OPENVMM_LOG');

/** The options without what was not given, so that defaults apply. */
function given(value: unknown): unknown {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
	const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
	return Object.fromEntries(entries.map(([key, inner]) => [key, given(inner)]));
}
