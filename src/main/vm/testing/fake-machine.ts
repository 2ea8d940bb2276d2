import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type VmConfig, vmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions, type Vm} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor, type GuestScript} from '#vcpu-worker/hypervisor/testing';

/** Address where the boot processor starts. */
export const entry = 0x10_0000;

const folder = mkdtempSync(join(tmpdir(), 'openvmm-fake-'));
const image = join(folder, 'guest.bin');
writeFileSync(image, Uint8Array.of(0xf4));
process.once('exit', () => rmSync(folder, {recursive: true, force: true}));

/** A small machine without a console. */
export const fakeConfig = (changes: Parameters<typeof vmConfig>[0] = {}): VmConfig =>
	vmConfig({
		memory: {sizeBytes: 16 * 2 ** 20},
		boot: {kind: 'flat', image, address: entry, mode: 'long'},
		devices: [],
		...changes,
	});

/** A test's choices for a {@link fakeMachine}. */
export interface FakeMachineOptions extends CreateOptions, Pick<HostOptions, 'limits'> {
	/** One processor for each script, unless this says otherwise. */
	readonly config?: Parameters<typeof vmConfig>[0];
	/** Without them it has some that are no other machine's. */
	readonly workers?: InProcessWorkers;
	/** Before the machine is made. */
	readonly prepare?: (hypervisor: FakeHypervisor, workers: InProcessWorkers) => void;
}

/** A machine on the test's thread. */
export interface FakeMachine {
	readonly vm: Vm;
	readonly hypervisor: FakeHypervisor;
	readonly workers: InProcessWorkers;
}

/** Makes a machine whose processors execute these scripts. It is stopped after the test. */
export async function fakeMachine(
	t: ExecutionContext,
	scripts: readonly GuestScript[],
	{config, prepare, workers = new InProcessWorkers(), ...options}: FakeMachineOptions = {},
): Promise<FakeMachine> {
	const hypervisor = new FakeHypervisor(scripts);
	prepare?.(hypervisor, workers);
	const host: CreateOptions & HostOptions = {...options, hypervisor, stock: workers};
	const processors = {count: Math.max(1, scripts.length), ...config?.processors};
	const vm = await createVm(fakeConfig({...config, processors}), host);
	t.teardown(() => vm.stop());
	return {vm, hypervisor, workers};
}
