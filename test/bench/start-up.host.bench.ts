/**
 * Measures the part of a start that needs no KVM: the process and the program, beside `node -e 0`; and a machine of one and of
 * eight processors on the fake hypervisor, which has no threads, with the memory that each further machine takes beside its
 * guest's.
 */
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {vmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions, type Vm} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor, halt} from '#vcpu-worker/hypervisor/testing';
import {report} from './report.ts';

const rounds = 11;
const machines = 20;
const entry = 0x10_0000;
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const image = join(folder, 'guest.bin');
writeFileSync(image, Uint8Array.of(0xf4));

const ms = (start: bigint) => Number(process.hrtime.bigint() - start) / 1e6;

function processMs(...words: string[]): number {
	const start = process.hrtime.bigint();
	// The home folder may be read-only here; a user's is not.
	spawnSync(process.execPath, words, {stdio: 'ignore', env: {...process.env, XDG_CACHE_HOME: folder}});
	return ms(start);
}

/** A machine that is ready to run. */
function machine(processors: number): Promise<Vm> {
	const guests = Array.from(
		{length: processors},
		() =>
			function* () {
				yield halt();
			},
	);
	const host: CreateOptions & HostOptions = {hypervisor: new FakeHypervisor(guests), stock: new InProcessWorkers()};
	const boot = {kind: 'flat', image, address: entry, mode: 'long'} as const;
	return createVm(vmConfig({processors: {count: processors}, memory: {sizeBytes: 2 ** 26}, boot, devices: []}), host);
}

async function machineMs(processors: number): Promise<number> {
	const start = process.hrtime.bigint();
	const vm = await machine(processors);
	const taken = ms(start);
	await vm.stop();
	await vm.ended;
	return taken;
}

/** MiB of each of some machines together. */
async function machineMib(): Promise<number> {
	globalThis.gc?.();
	const before = process.memoryUsage().rss;
	const vms = [];
	for (let index = 0; index < machines; index++) vms.push(await machine(1));
	globalThis.gc?.();
	const each = (process.memoryUsage().rss - before) / machines / 2 ** 20;
	for (const vm of vms) await vm.stop();
	return each;
}

try {
	const samples: Record<string, number[]> = {};
	// The first rounds fill caches and compile.
	for (let round = -3; round < rounds; round++) {
		const values = {
			'node -e 0': processMs('-e', '0'),
			'openvmm --version': processMs(launcher, '--version'),
			'a machine of 1 processor': await machineMs(1),
			'a machine of 8 processors': await machineMs(8),
		};
		if (round < 0) continue;
		for (const [name, value] of Object.entries(values)) {
			samples[name] ??= [];
			samples[name].push(value);
		}
	}
	const figures = Object.entries(samples).map(([name, values]) => ({name, unit: 'ms', samples: values}));
	report('Starting without KVM', figures, 'node -e 0');
	const each = [await machineMib(), await machineMib(), await machineMib()];
	report('Memory of another machine without KVM', [{name: 'beside guest RAM', unit: 'MiB', samples: each}]);
} finally {
	rmSync(folder, {recursive: true, force: true});
}
