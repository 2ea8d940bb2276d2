/**
 * Measures what an exit costs: `in` from a port in a loop, served by a shared-state front, and by a device of the device worker
 * through the mailbox with both sides spinning and both sides sleeping, beside a C program that does the same ioctl loop, and
 * beside one that also runs through as many pages of code as a runtime does.
 */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {latchKind} from '#devices/chipset/latch';
import type {DeviceHandle} from '#devices/device-type';
import {al, createAssembler} from '#flowey/x86-assembler';
import {vmConfig} from '#main/config';
import {type CreateOptions, createVm} from '#main/vm';
import {toJson} from '#support/inspect';
import {type Figure, median, report} from './report.ts';

const port = 0x10;
const address = 0x7c00;
const rounds = 5;
const windowMs = 100;
const windows = 10;
const warmUpMs = 3000;
/** About what Node.js and koffi run through for one call: the emulator charges for every page after every exit. */
const codePages = 64;

/** `in al, port` for ever, in real mode. */
function kernelImage(): Uint8Array {
	const asm = createAssembler({origin: address, bits: 16});
	asm.label('again');
	asm.in(al, port);
	asm.jmp('again');
	return asm.finish().bytes;
}

function compilePeer(folder: string): string {
	const program = join(folder, 'exit-loop');
	execFileSync('cc', ['-O2', '-o', program, join(process.cwd(), 'test/bench/peer/exit-loop.c')]);
	return program;
}

function measurePeer(program: string, kernel: string, pages = 0): number[] {
	const seconds = (windows * windowMs) / 1000;
	const output = execFileSync(program, [kernel, String(address), String(seconds), String(pages)], {encoding: 'utf8'});
	return output.trim().split('\n').map(Number);
}

const shared = {kind: latchKind, options: {port}};
const owned = {module: join(process.cwd(), 'guide/examples/variables.ts'), options: {port: String(port)}};

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Nanoseconds per exit of a running machine, one sample per window. */
async function measureVm(kernel: string, device: DeviceHandle, create: CreateOptions): Promise<number[]> {
	const config = vmConfig({
		memory: {sizeBytes: 2 ** 21},
		boot: {kind: 'flat', image: kernel, address, mode: 'real'},
		devices: [device],
	});
	const vm = await createVm(config, create);
	const exits = async () => toJson(await vm.inspect('vm/vcpus/0/exits/port')) as number;
	try {
		await vm.start();
		await sleep(warmUpMs);
		const samples: number[] = [];
		for (let window = 0; window < windows; window++) {
			const [start, before] = [process.hrtime.bigint(), await exits()];
			await sleep(windowMs);
			samples.push(Number(process.hrtime.bigint() - start) / ((await exits()) - before));
		}
		return samples;
	} finally {
		await vm.stop();
	}
}

const withPages = `C loop, ${codePages} pages of code`;
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
try {
	const kernel = join(folder, 'kernel');
	writeFileSync(kernel, kernelImage());
	const program = compilePeer(folder);
	const samples: Record<string, number[]> = {
		'C loop': [],
		[withPages]: [],
		shared: [],
		'mailbox, spinning': [],
		'mailbox, sleeping': [],
	};
	const add = (name: string, values: number[]) => samples[name]?.push(median(values));
	for (let round = 0; round < rounds; round++) {
		add('C loop', measurePeer(program, kernel));
		add(withPages, measurePeer(program, kernel, codePages));
		add('shared', await measureVm(kernel, shared, {}));
		add('mailbox, spinning', await measureVm(kernel, owned, {pollNs: 1e9, mailboxSpins: 1e6}));
		add('mailbox, sleeping', await measureVm(kernel, owned, {pollNs: 0, mailboxSpins: 0}));
	}
	const figures = Object.entries(samples).map(
		([name, values]): Figure => ({name, unit: 'ns per exit', samples: values}),
	);
	report('Exit round trip', figures, 'C loop');
} finally {
	rmSync(folder, {recursive: true, force: true});
}
