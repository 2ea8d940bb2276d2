import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {VmOptions} from '#main/config';
import type {CreateOptions} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import type {GuestProgram} from '#test/guest-program';
import {exitPort, type MicroKernel} from '#test/tmk';
import {FakeHypervisor} from '#vcpu-worker/hypervisor/testing';
import {type BackEndName, backEndHere, type X86BackEnd} from './back-ends.ts';
import {debugExit, type TestVm, testVm} from './test-vm.ts';

/** A machine's configuration, and the program that it boots. It has the port by which a program exits. */
export type ProgramOptions = Omit<VmOptions, 'boot'> & {readonly program: GuestProgram};

/** The same for a micro kernel. */
export type KernelOptions = Omit<VmOptions, 'boot'> & {readonly kernel: MicroKernel};

/** Configuration of a machine that a test may have on these back ends. */
export type MachineOptions<On extends BackEndName> = 'fake' extends On
	? ProgramOptions
	: ProgramOptions | KernelOptions | VmOptions;

/** Makes a machine on the back end of this run. It is stopped when the test ends. */
export type MakeMachine<On extends BackEndName = X86BackEnd> = (
	options: MachineOptions<On>,
	create?: CreateOptions,
) => Promise<TestVm>;

/** Conditions of a test. */
export interface VmTestOptions<On extends BackEndName> {
	/** Back ends it can run on. */
	readonly on: readonly On[];
	/** Set where it cannot run here. */
	readonly skip?: boolean;
}

/** A test of machines, from one body on each back end that it names. Those run that this run is for. */
export function vmTest<On extends BackEndName>(
	title: string,
	{on, skip = false}: VmTestOptions<On>,
	body: (t: ExecutionContext, machine: MakeMachine<On>) => Promise<void>,
): void {
	if (!(on as readonly BackEndName[]).includes(backEndHere)) noteAbsence();
	else {
		(skip ? test.serial.skip : test.serial)(`${title} (${backEndHere})`, (t) =>
			body(t, (options, create = {}) => machineOf(t, backEndHere, options, create)),
		);
	}
}

let isNoted = false;

/** AVA takes a file without any test for a mistake. */
function noteAbsence(): void {
	if (!isNoted) test.skip(`not on ${backEndHere}`, () => {});
	isNoted = true;
}

/** Makes machines on a back end that need not be this run's, for tests of several. */
export const machinesOn =
	(t: ExecutionContext, backEnd: X86BackEnd): MakeMachine =>
	(options, create = {}) =>
		machineOf(t, backEnd, options, create);

function machineOf(
	t: ExecutionContext,
	on: BackEndName,
	options: MachineOptions<X86BackEnd>,
	create: CreateOptions,
): Promise<TestVm> {
	if ('program' in options) {
		const {program, ...rest} = options;
		const config = withKernel(t, program.kernel, rest);
		return on === 'fake' ? fakeVm(t, program, config, create) : x86Vm(t, on, config, create);
	}
	if (!('kernel' in options)) return x86Vm(t, on, options, create);
	const {kernel, ...rest} = options;
	return x86Vm(t, on, withKernel(t, kernel, rest), create);
}

function x86Vm(t: ExecutionContext, on: BackEndName, config: VmOptions, create: CreateOptions): Promise<TestVm> {
	if (on === 'fake') throw new TypeError('the fake executes programs only');
	return testVm(t, {...config, hypervisor: on}, create);
}

function withKernel(t: ExecutionContext, kernel: MicroKernel, options: VmOptions): VmOptions {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-kernel-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const image = join(folder, kernel.name);
	writeFileSync(image, kernel.image);
	const boot = {kind: 'flat', image, address: kernel.loadAddress, mode: kernel.mode} as const;
	return {...options, boot, devices: [debugExit(exitPort), ...(options.devices ?? [])]};
}

/** Interval of the turns of the fake's devices. */
const turnMs = 1;

async function fakeVm(t: ExecutionContext, {script}: GuestProgram, config: VmOptions, create: CreateOptions) {
	const workers = new InProcessWorkers();
	let then = performance.now();
	const turns = setInterval(() => {
		const now = performance.now();
		for (const reactor of workers.reactors) if (!reactor.isClosed) reactor.turn((now - then) * 1e6);
		then = now;
	}, turnMs);
	t.teardown(() => clearInterval(turns));
	return testVm(t, config, {...create, stock: workers, hypervisor: new FakeHypervisor(script)});
}
