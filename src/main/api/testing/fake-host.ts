import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {BootConfig} from '#main/config';
import type {HostOptions} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor, type Guest, type GuestScript, writePort} from '#vcpu-worker/hypervisor/testing';

/** Interval of the turns of devices. */
const turnMs = 1;
const com1 = 0x3f8;

/** What a machine of a script runs on, with threads and devices on the test's thread. */
export function fakeHost(t: Pick<ExecutionContext, 'teardown'>, script: GuestScript): HostOptions {
	const workers = new InProcessWorkers();
	let then = performance.now();
	const turns = setInterval(() => {
		const now = performance.now();
		for (const reactor of workers.reactors) if (!reactor.isClosed) reactor.turn((now - then) * 1e6);
		then = now;
	}, turnMs);
	t.teardown(() => clearInterval(turns));
	return {stock: workers, hypervisor: new FakeHypervisor([script])};
}

/** A boot of such a machine, whose bytes nobody executes. */
export function flatGuest(t: Pick<ExecutionContext, 'teardown'>): BootConfig {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-flat-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const image = join(folder, 'guest.bin');
	writeFileSync(image, Uint8Array.of(0xf4));
	return {kind: 'flat', image, address: 0x10_0000, mode: 'long'};
}

/** Has a guest write text to COM1. */
export function* says(text: string): Guest {
	for (const byte of Buffer.from(text)) yield writePort(com1, 1, byte);
}
