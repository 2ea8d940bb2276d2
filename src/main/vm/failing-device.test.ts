import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {InProcessWorkers} from '#main/workers/testing';
import {Gate, type Guest, readPort} from '#vcpu-worker/hypervisor/testing';
import {fakeMachine} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-failing-device-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const ports = {failing: 0x600, unclaimed: 0x700};

for (const deviceFailure of ['machine', 'device'] as const) {
	test(`a device that fails under a running guest, the policy being ${deviceFailure}`, async (t) => {
		const kind = `failing-${deviceFailure}`;
		const path = join(folder, `${kind}.mjs`);
		writeFileSync(
			path,
			`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
			export default {
				kind: '${kind}',
				state: wire('failing', {value: u8}),
				attach: {regions: () => [{space: 'pio', name: 'port', base: ${ports.failing}, length: 4}]},
				front: () => ({read: () => { throw new Error('a bug'); }, write: () => {}}),
			};`,
		);
		const seen: number[] = [];
		const gate = new Gate();
		function* guest(): Guest {
			for (const port of [ports.failing, ports.failing, ports.unclaimed]) seen.push(yield readPort(port, 4));
			yield gate.pass;
		}
		const told = Promise.withResolvers<string>();
		const {vm} = await fakeMachine(t, [guest], {
			config: {deviceFailure, devices: [{module: path}]},
			deviceFailed: told.resolve,
			start: true,
		});
		const message = `The device ${kind} failed (read): a bug`;
		if (deviceFailure === 'machine') {
			t.like(await vm.ended, {kind: 'error', error: {code: 'DEVICE_FAILED', message}});
			t.deepEqual(seen, []);
			return;
		}
		t.is(await told.promise, message);
		await gate.reached;
		t.deepEqual(seen, [0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
		await vm.stop();
		t.deepEqual(await vm.ended, {kind: 'stopped'});
	});
}

const throws = '() => { throw new Error("a bug"); }';
for (const part of ['lines', 'doorbells', 'front', 'back', 'acpi', 'smbios'])
	test(`a module whose "${part}" throws refuses the machine by its name, and leaves nothing behind`, async (t) => {
		const path = join(folder, `refused-${part}.mjs`);
		writeFileSync(
			path,
			`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
			export default {
				kind: 'refused-${part}',
				state: wire('refused', {value: u8}),
				attach: {regions: () => [{space: 'pio', name: 'port', base: ${ports.failing}, length: 4}]},
				front: () => ({read: () => 0, write() {}}),
				back: () => ({start() {}, async stop() {}, notified() {}, dispose() {}}),
				${part}: ${throws},
			};`,
		);
		const workers = new InProcessWorkers();
		await t.throwsAsync(
			fakeMachine(t, [function* () {}], {config: {devices: [{module: path}]}, workers, start: true}),
			{
				code: 'DEVICE_MODULE_FAILED',
				message: new RegExp(`refused-${part}\\.mjs fails in "${part}": a bug`),
			},
		);
		t.is(workers.alive, 0);
	});
