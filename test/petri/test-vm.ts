import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {KindHandle} from '#devices/device-type';
import {deviceRegistry} from '#devices/registry';
import {type BootConfig, type VmOptions, vmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions, type Vm, type VmEnd} from '#main/vm';
import {toJson} from '#support/inspect';

/** Characters of COM1's end, and of each part of the tree, that a failed test shows: who reads of it has nothing else. */
const shown = 16_000;

/** A machine under test. Its COM1 goes to a file, and it is stopped when the test ends. */
export class TestVm {
	readonly vm: Vm;
	readonly #outputPath: string;

	constructor(vm: Vm, outputPath: string) {
		this.vm = vm;
		this.#outputPath = outputPath;
	}

	/** The guest's output on COM1. */
	get output(): string {
		return readFileSync(this.#outputPath, 'latin1');
	}

	/** A part of the machine's tree, as a script reads it. */
	async inspect(path: string, depth = 1): Promise<unknown> {
		// Under emulation everything takes its time.
		return toJson(await this.vm.inspect(path, {depth, timeoutMs: 60_000}));
	}

	/** For a failed test: what the machine has said, and where it is if it still runs. */
	async whatItDoes(): Promise<string> {
		const {state} = this.vm;
		const said = `${state}; COM1:\n${this.output.slice(-shown)}`;
		if (state !== 'running') return said;
		const parts = Object.entries({vcpus: 4, devices: 3, mailboxes: 2, workers: 2});
		const told = await Promise.all(
			parts.map(async ([part, depth]) => {
				const tree = await this.vm.inspect(`vm/${part}`, {depth, timeoutMs: 5000}).then(toJson, String);
				return `${part}: ${JSON.stringify(tree).slice(0, shown)}`;
			}),
		);
		return [said, ...told].join('\n');
	}

	/** Waits until COM1 shows `pattern`; fails with what it shows instead when the machine ends before. */
	async waitFor(pattern: RegExp): Promise<RegExpMatchArray> {
		let ended: VmEnd | undefined;
		void this.vm.ended.then((end) => {
			ended = end;
		});
		for (;;) {
			const match = this.output.match(pattern);
			if (match !== null) return match;
			if (ended !== undefined) throw new Error(`${JSON.stringify(ended)} before ${pattern}; COM1:\n${this.output}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}
}

/** The devices that flags of the command line ask for, by their long names. */
export const flagged = (flags: Readonly<Record<string, readonly string[]>>): readonly KindHandle[] =>
	deviceRegistry.flaggedDevices((name) => (name === 'com1' ? ['none'] : (flags[name] ?? [])));

/** A port by which the guest ends its machine. */
export const debugExit = (port = 0xf4): KindHandle => ({kind: 'debug-exit', options: {port}});

/**
 * Builds a machine for one test: the embedded guest unless `options` boot something else, and serial ports beside the devices
 * that they ask for.
 */
export async function testVm(
	t: ExecutionContext,
	options: VmOptions = {},
	create: CreateOptions & HostOptions = {},
): Promise<TestVm> {
	// A test that hangs fails by name. Started again by every assertion; the emulator's slowest machine takes a tenth, other work of
	// the host makes that many times as long.
	t.timeout(600_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-test-'));
	const path = join(folder, 'com1');
	const devices = [...serialPorts({com1: {kind: 'file', path}}), ...(options.devices ?? [])];
	const size = {sizeBytes: create.snapshot?.manifest.asked.memoryBytes ?? 64 * 2 ** 20};
	const memory = {...(options.numa ? {} : size), ...options.memory};
	const vm = await createVm(vmConfig({...options, memory, devices}), create);
	const made = new TestVm(vm, path);
	t.teardown(async () => {
		if (!t.passed) t.log(await made.whatItDoes());
		await vm.stop();
		rmSync(folder, {recursive: true, force: true});
	});
	return made;
}

/** The embedded guest with these words on its command line. */
export const embedded = (...commandLine: readonly string[]): BootConfig => ({kind: 'embedded', commandLine});
