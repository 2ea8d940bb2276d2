import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {vmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor} from '#vcpu-worker/hypervisor/testing';
import {serveGdb} from './index.ts';
import {RawClient} from './testing/index.ts';

/** A machine without threads that nothing runs on, and a client that has attached to it. */
async function attached(t: ExecutionContext) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-gdb-machine-'));
	const image = join(folder, 'guest.bin');
	writeFileSync(image, Uint8Array.of(0xf4));
	const config = vmConfig({
		memory: {sizeBytes: 16 * 2 ** 20},
		boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
		devices: [],
	});
	const host: CreateOptions & HostOptions = {hypervisor: new FakeHypervisor([]), stock: new InProcessWorkers()};
	const vm = await createVm(config, host);
	const path = join(folder, 'socket');
	const server = await serveGdb(vm, {kind: 'unix', path});
	t.teardown(async () => {
		await vm.stop();
		rmSync(folder, {recursive: true});
	});
	return {vm, server, client: await RawClient.connect(path)};
}

test('a debugger that waits for the guest hears how the machine has ended, and is gone then', async (t) => {
	const {vm, server, client} = await attached(t);
	t.is(await client.ask('qC'), 'QC1');
	client.send('$c#63');
	while (vm.state !== 'running') await new Promise((resolve) => setImmediate(resolve));
	await vm.stop();
	t.is(await client.reply(), 'X0f');
	await client.closed();
	await server.closed;
});

test('a server that closes lets the machine go on without it', async (t) => {
	const {vm, server, client} = await attached(t);
	await client.ask('qC');
	await server.close();
	await client.closed();
	t.is(vm.state, 'created');
	await vm.start();
	t.is(vm.state, 'running');
});
