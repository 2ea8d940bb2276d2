import {type DeviceRegistry, deviceRegistry} from '#devices/registry';
import type {VmmError} from '#support/errors';
import {checkPath, checkRange} from '#support/options';
import {hypervisorOptions} from '#vcpu-worker/back-ends';
import {checkDevices} from './check-devices.ts';
import {checkMemory, memoryLimits} from './check-memory.ts';
import {checkNuma} from './check-numa.ts';
import {checkPcie} from './check-pcie.ts';
import {cpuProblems, tscKhzRange} from './cpu-option.ts';
import {configError} from './errors.ts';
import {maxFlatAddress} from './flat-option.ts';
import {type ConfigHost, linuxHost} from './host.ts';
import {moduleFiles} from './module-files.ts';
import {numaNodes} from './numa-config.ts';
import type {GdbAddress, ProcessConfig} from './process-config.ts';
import type {BootConfig, VmConfig} from './vm-config.ts';

/** The bounds that {@link checkConfig} enforces. */
export const limits = {...memoryLimits, maxProcessors: 1024, maxApicId: 0xffff_fffe, maxResets: 1_000_000} as const;

/**
 * Everything that is wrong with a configuration, each with what was asked, what is allowed and a remedy;
 * empty when a machine can be built from it. Paths and memory are held against the host.
 */
export function checkConfig(
	config: VmConfig,
	host: ConfigHost = linuxHost,
	registry: DeviceRegistry = deviceRegistry,
): VmmError[] {
	const {processors, cpu, guestActions} = config;
	return [
		checkHypervisor(config.hypervisor),
		checkRange(processors.count, '--processors', 1, limits.maxProcessors) ?? checkThreads(processors.count, host),
		processors.vpsPerSocket === undefined
			? undefined
			: checkRange(processors.vpsPerSocket, '--vps-per-socket', 1, limits.maxProcessors),
		...cpuProblems(cpu),
		cpu.tscKhz === undefined ? undefined : checkRange(cpu.tscKhz, '--cpu tsc_khz', tscKhzRange.min, tscKhzRange.max),
		checkRange(processors.apicIdOffset, '--apic-id-offset', 0, limits.maxApicId),
		...(config.numa ? checkNuma(config.numa, config, host) : checkMemory(config.memory, host)),
		...checkBoot(config.boot, host),
		...checkDevices(config.devices, registry, host),
		...(config.pcie ? checkPcie(config.pcie, numaNodes(config).length) : []),
		...Object.entries(guestActions).map(([event, action]) =>
			typeof action === 'string' ? undefined : checkRange(action.exit, `--guest-${event}-action exit`, 0, 255),
		),
		checkRange(config.guestResetLimit, '--guest-reset-limit', 0, limits.maxResets),
		config.crashDumpPath === undefined
			? undefined
			: checkPath(host, 'output', config.crashDumpPath, '--crash-dump-path'),
	].filter((problem) => problem !== undefined);
}

function checkHypervisor(wanted: string): VmmError | undefined {
	if (hypervisorOptions.some((option) => option === wanted)) return undefined;
	return configError('CONFIG_VALUE_INVALID', {
		option: '--hypervisor',
		value: wanted,
		expected: hypervisorOptions.join(', '),
	});
}

function checkGdb(address: GdbAddress, host: ConfigHost): VmmError | undefined {
	if (address.kind === 'unix') return checkPath(host, 'listen', address.path, '--gdb');
	return checkRange(address.port, '--gdb port', 0, 0xffff);
}

/** The same for what belongs to the process. */
export function checkProcessConfig(config: ProcessConfig, host: ConfigHost = linuxHost): VmmError[] {
	return [
		config.logFile === undefined ? undefined : checkPath(host, 'stream', config.logFile, '--log-file'),
		config.pidFile === undefined ? undefined : checkPath(host, 'output', config.pidFile, '--pidfile'),
		config.controlSocket === undefined || config.controlSocket === 'none'
			? undefined
			: checkPath(host, 'listen', config.controlSocket, '--control-socket'),
		config.gdb && checkGdb(config.gdb, host),
	].filter((problem) => problem !== undefined);
}

/** Host memory of a processor's thread, measured: `npm run bench -- --match memory`. */
const threadBytes = 18 * 2 ** 20;

/** A host without the memory for all threads would stand still before one of them runs. */
function checkThreads(count: number, host: ConfigHost): VmmError | undefined {
	const [neededBytes, hostBytes] = [count * threadBytes, host.memoryBytes()];
	if (hostBytes === 0 || neededBytes <= hostBytes) return undefined;
	return configError('CONFIG_HOST_MEMORY_PROCESSORS', {count, neededBytes, hostBytes});
}

function checkBoot(boot: BootConfig, host: ConfigHost): (VmmError | undefined)[] {
	switch (boot.kind) {
		case 'embedded':
		case 'none':
			return [];
		case 'linux':
			return [
				checkPath(host, 'input', boot.kernel, '--kernel'),
				...initrdPaths(boot, host).map((path) => checkPath(host, 'input', path, '--initrd')),
			];
		case 'flat':
			return [
				checkPath(host, 'input', boot.image, '--flat'),
				checkRange(boot.address, '--flat address', 0, maxFlatAddress),
			];
	}
}

function initrdPaths({initrd}: Extract<BootConfig, {kind: 'linux'}>, host: ConfigHost): string[] {
	if (initrd === undefined) return [];
	return moduleFiles(initrd, (path) => host.path(path).kind !== 'missing').map(({path}) => path);
}
