import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {vmConfig} from '#main/config';
import {openSnapshot} from '#main/snapshot';
import {InProcessWorkers} from '#main/workers/testing';
import {ScriptedHypervisor, type ScriptStep} from '#vcpu-worker/hypervisor/testing';
import type {CreateOptions, HostOptions} from './create-options.ts';
import {createVm} from './create-vm.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-in-process-'));
test.after.always(() => rmSync(folder, {recursive: true}));
const image = join(folder, 'guest.bin');
writeFileSync(image, Uint8Array.of(0xf4));

const port = 0x500;
const config = vmConfig({
	memory: {sizeBytes: 16 * 2 ** 20},
	boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
	serial: {com1: {kind: 'none'}},
	devices: [{name: 'latch', kind: latchKind, config: {port}, route: 'shared'}],
});

/** A machine on this thread alone. */
const hosted = (hypervisor: ScriptedHypervisor): CreateOptions & HostOptions => ({
	hypervisor,
	stock: new InProcessWorkers(),
});

test('a machine without threads runs its processors’ scripts, parks, pauses, goes on and ends', async (t) => {
	const seen: number[] = [];
	const script: ScriptStep[] = [
		{exit: 'port', access: ({bus}) => bus.writePort(port, 4, 0x1234)},
		{exit: 'port', access: ({bus}) => void seen.push(bus.readPort(port, 4))},
	];
	const hypervisor = new ScriptedHypervisor([script, []]);
	const vm = await createVm({...config, processors: {...config.processors, count: 2}}, hosted(hypervisor));
	t.is(vm.state, 'created');
	t.is(
		hypervisor.regions.reduce((sum, {length}) => sum + length, 0),
		16 * 2 ** 20,
	);

	await vm.start();
	await vm.pause();
	t.deepEqual(seen, [0x1234]);
	t.is(vm.state, 'paused');
	t.is((await vm.readRegisters(0)).general.rip, 0x10_0000n);

	await vm.start();
	await vm.reset();
	t.is(vm.state, 'running');
	await vm.stop();
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.true(hypervisor.isClosed);
});

test('a triple fault in a script ends the machine as on any back end', async (t) => {
	const hypervisor = new ScriptedHypervisor([[{exit: 'shutdown'}]]);
	const vm = await createVm(config, {...hosted(hypervisor), start: true});
	t.like(await vm.ended, {kind: 'crash', reason: 'triple fault', vcpu: 0});
});

async function savedScript(t: ExecutionContext) {
	const directory = join(folder, `snapshot-${t.title.length}`);
	const vm = await createVm(config, hosted(new ScriptedHypervisor([[]])));
	await vm.writeRegisters(0, {general: {...(await vm.readRegisters(0)).general, rbx: 0x1122_3344_5566_7788n}});
	await vm.saveSnapshot(directory);
	await vm.stop();
	return openSnapshot(directory);
}

test('a snapshot says what it was made on and needs, and goes on there', async (t) => {
	const snapshot = await savedScript(t);
	t.like(snapshot.manifest.hypervisor, {kind: 'scripted', units: []});
	const vm = await createVm(config, {...hosted(new ScriptedHypervisor([[]])), snapshot});
	t.is((await vm.readRegisters(0)).general.rbx, 0x1122_3344_5566_7788n);
	await vm.stop();
	snapshot.close();
});

test('a snapshot that needs more than there is is refused with all that is missing', async (t) => {
	const {manifest, ...snapshot} = await savedScript(t);
	const needs = {vendor: '', features: new Map([['CPUID.7.0:EBX', 1 << 16]]), xsave: new Map(), addressBits: 52};
	const hypervisor = {kind: 'kvm', units: ['kvmclock'], needs};
	const scripted = new ScriptedHypervisor([[]]);
	const error = await t.throwsAsync(
		createVm(config, {...hosted(scripted), snapshot: {...snapshot, manifest: {...manifest, hypervisor}}}),
		{code: 'SNAPSHOT_HYPERVISOR_LACKS'},
	);
	t.regex(
		error?.message ?? '',
		/ran on kvm .* scripted .*CPUID\.7\.0:EBX\[16\], physical addresses of 52 bits, the state of kvmclock/,
	);
	t.true(scripted.isClosed);
	snapshot.close();
});
