/**
 * Measures what the run loop costs an exit, KVM left out: `in` from a port of a shared-state front, with a system call that
 * fails at once in KVM's place, beside a C loop around the same call. Runs without KVM and without an emulator, so its figure
 * is the part of an exit's cost that is ours. Also what an exit leaves on the heap: a collection stops the vCPU.
 */

import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {latchKind} from '#devices/chipset/latch';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {IoBus} from '#devices/io-bus';
import {oneThreadMachine} from '#devices/testing';
import {koffi} from '#support/ffi';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {ExitSampler} from '#vcpu-worker/latency';
import {VcpuControl, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {runVcpu} from '#vcpu-worker/run-loop';
import {report} from './report.ts';

const port = 0x10;
const exits = 2_000_000;
const rounds = 7;
/** Few enough that no collection comes between. */
const countedExits = 20_000;

const call = koffi().load(null).func('int ioctl(int fd, uint32_t request, int64_t argument)');
const failingCall = () => call(-1, 0xae80, 0);

function nsPerExit(action: () => void): number {
	const start = process.hrtime.bigint();
	action();
	return Number(process.hrtime.bigint() - start) / exits;
}

/** A processor whose guest does nothing but `in al, port`; asks to stop after so many exits. */
function processor(control: ReturnType<typeof VcpuControl.on>, bus: IoBus, exitsOfRun: () => number): CpuBackend {
	const page = new DataView(new SharedArrayBuffer(4096));
	let left = 0;
	const cpu: Partial<CpuBackend> = {
		serve: () => page.setUint8(0, bus.readPort(port, 1)),
		clearKick() {
			left = exitsOfRun();
		},
		run() {
			failingCall();
			if (--left === 0) Atomics.store(control.$atomic, VcpuControl.word('stopRequested'), 1);
			return 'port';
		},
		completeExit: () => 'interrupted',
	};
	return cpu as CpuBackend;
}

function machineWithLatch() {
	const {machine, bus} = oneThreadMachine([{name: 'latch', kind: latchKind, config: {port}}]);
	return {bus, events: machine.events};
}

const {control, probe, latencies, sample} = vcpuShared({buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0});
const sampler = new ExitSampler(latencies);
const {bus, events} = machineWithLatch();
let exitsOfRun = exits;
const cpu = processor(control, bus, () => exitsOfRun);
const memory = new MappedMemory(plainMemory());
const context = {events, cpu, control, probe, sample, memory, sampler, split: undefined, isBoot: true};
function runLoop(): void {
	control.stopRequested = 0;
	latencies.sampleEvery = 0;
	runVcpu(context);
}
function timedLoop(): void {
	control.stopRequested = 0;
	latencies.sampleEvery = 256;
	runVcpu(context);
}
/** Bytes that an exit leaves on the heap. */
function bytesPerExit(): number {
	exitsOfRun = countedExits;
	const before = process.memoryUsage().heapUsed;
	runLoop();
	const after = process.memoryUsage().heapUsed;
	exitsOfRun = exits;
	return (after - before) / countedExits;
}
function koffiLoop(): void {
	for (let index = 0; index < exits; index++) failingCall();
}

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
try {
	const peer = join(folder, 'call-loop');
	execFileSync('cc', ['-O2', '-o', peer, join(process.cwd(), 'test/bench/peer/call-loop.c')]);
	const cLoop = () => Number(execFileSync(peer, [String(exits)], {encoding: 'utf8'}));
	const samples = {
		'C loop': [] as number[],
		'koffi loop': [] as number[],
		'run loop': [] as number[],
		'run loop, one exit of 256 timed': [] as number[],
	};
	const bytes: number[] = [];
	// The first round compiles.
	for (let round = -1; round < rounds; round++) {
		const values = [cLoop(), nsPerExit(koffiLoop), nsPerExit(runLoop), nsPerExit(timedLoop)];
		if (round >= 0) bytes.push(bytesPerExit());
		if (round >= 0) for (const [index, list] of Object.values(samples).entries()) list.push(values[index] ?? 0);
	}
	const figures = Object.entries(samples).map(([name, values]) => ({name, unit: 'ns', samples: values}));
	report('An exit without KVM', figures, 'C loop');
	report('What an exit without KVM leaves on the heap', [{name: 'run loop', unit: 'bytes', samples: bytes}]);
} finally {
	rmSync(folder, {recursive: true, force: true});
}
