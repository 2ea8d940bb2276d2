// QEMU as a second machine for tests: what boots there and here does not depend on one VMM's habits.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';

const program = 'qemu-system-x86_64';
const timeoutMs = 20_000;

/** Result of a run in QEMU. */
export interface QemuResult {
	/** The guest's output on COM1. */
	readonly output: string;
	/** QEMU's exit status: 0 for power-off, `2 * value + 1` for a write to port 0xF4; null when it was stopped. */
	readonly status: number | null;
}

/** A run in QEMU. */
export interface QemuRun {
	/** A PVH kernel, or with `isBootSector` a disk image. */
	readonly image: Uint8Array;
	readonly isBootSector?: boolean;
	readonly commandLine?: string;
	readonly arguments?: readonly string[];
	/** Stop QEMU this soon after `text` was seen; the output then has what came until then. */
	readonly stopAfter?: {readonly text: string; readonly delayMs: number};
	/** Type `keys` on COM1 when `text` was seen. */
	readonly answer?: {readonly text: string; readonly keys: string};
}

/** Tells whether QEMU can be run here. */
export function hasQemu(): boolean {
	return spawnSync(program, ['--version'], {stdio: 'ignore'}).status === 0;
}

/** Runs an image in QEMU without hardware virtualization until it ends; never leaves a process behind. */
export async function runInQemu(run: QemuRun): Promise<QemuResult> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-qemu-'));
	const file = join(folder, 'image');
	writeFileSync(file, run.image);
	const boot = run.isBootSector ? ['-drive', `format=raw,file=${file}`] : ['-kernel', file];
	const commandLine = run.commandLine === undefined ? [] : ['-append', run.commandLine];
	const machine = '-accel tcg -nodefaults -display none -serial stdio -no-reboot'.split(' ');
	const exitDevice = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'];
	const options = [...machine, ...exitDevice, ...boot, ...commandLine, ...(run.arguments ?? [])];
	const child = spawn(program, options, {
		stdio: ['pipe', 'pipe', 'inherit'],
		timeout: timeoutMs,
		killSignal: 'SIGKILL',
	});
	try {
		return await follow(child, run);
	} finally {
		child.kill('SIGKILL');
		rmSync(folder, {recursive: true});
	}
}

async function follow(child: ChildProcess, {stopAfter, answer}: QemuRun): Promise<QemuResult> {
	let output = '';
	let isAnswered = false;
	let isStopping = false;
	child.stdout?.setEncoding('latin1').on('data', (text: string) => {
		output += text;
		if (answer && !isAnswered && output.includes(answer.text)) {
			isAnswered = true;
			child.stdin?.write(answer.keys);
		}
		if (stopAfter && !isStopping && output.includes(stopAfter.text)) {
			isStopping = true;
			void delay(stopAfter.delayMs).then(() => child.kill('SIGKILL'));
		}
	});
	await once(child, 'close');
	return {output, status: child.exitCode};
}
