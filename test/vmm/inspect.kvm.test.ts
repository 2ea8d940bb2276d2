import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {al, createAssembler, dx} from '#flowey/x86-assembler';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {toJson} from '#support/inspect';
import {embedded, testVm} from '#test/petri';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-inspect-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const wholeDepth = 64;

/** Paths of everything that gave no answer or an error. */
function failures(tree: unknown, path = ''): string[] {
	if (typeof tree !== 'object' || tree === null) return [];
	return Object.entries(tree).flatMap(([name, child]) =>
		name === '$error' || name === '$unresolved' ? [`${path}: ${child}`] : failures(child, `${path}/${name}`),
	);
}

type Guest = Awaited<ReturnType<typeof testVm>>;

async function allAnswers(t: ExecutionContext, guest: Guest, state: string): Promise<void> {
	t.is(await guest.inspect('vm/state'), state);
	t.deepEqual(failures(await guest.inspect('', wholeDepth)), []);
}

test.serial('everything can be seen in every state of a machine', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, irqchip: 'split', boot: embedded('loop')});
	await allAnswers(t, guest, 'created');
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
	await allAnswers(t, guest, 'running');
	await guest.vm.pause();
	await allAnswers(t, guest, 'paused');
	await guest.vm.stop();
	await allAnswers(t, guest, 'stopped');
});

test.serial('registers of running processors are live, those of a paused machine stand still', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('loop')});
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
	const registers = async (vcpu: number) =>
		(await guest.inspect(`vm/vcpus/${vcpu}/registers`)) as Record<string, string>;
	for (const vcpu of [0, 1]) {
		t.is(await guest.inspect(`vm/vcpus/${vcpu}/activity`), 'runnable');
		const seen = new Set<string>();
		// A guest that works does not stand at one place for ever.
		while (seen.size < 2) seen.add(JSON.stringify(await registers(vcpu)));
	}
	// Many askers at once get one answer each, and the guest goes on.
	const many = await Promise.all(Array.from({length: 50}, () => registers(1)));
	t.true(many.every(({rip}) => typeof rip === 'string' && BigInt(rip) > 0n));
	await guest.vm.pause();
	t.deepEqual(await registers(1), await registers(1));
});

test.serial('looking at a machine while it is paused, resumed and reset without end harms nobody', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('loop')});
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
	let looking = true;
	const looks = (async () => {
		let count = 0;
		for (; looking; count++) await guest.vm.inspect('vm/vcpus', {depth: wholeDepth, timeoutMs: 20_000});
		return count;
	})();
	for (let round = 0; round < 20; round++) {
		await guest.vm.pause();
		await guest.vm.resume();
		if (round % 5 === 4) await guest.vm.reset();
	}
	looking = false;
	t.true((await looks) > 0);
	await allAnswers(t, guest, 'running');
});

test.serial('exits are timed as often as one asks, and counted by kind', async (t) => {
	const guest = await testVm(t, {boot: embedded('loop')});
	await guest.vm.update('vm/latencies/sampleEvery', '1');
	await guest.vm.start();
	await guest.waitFor(/CPUs: 1 found/);
	const samples = async () => (await guest.inspect('vm/latencies/port/samples')) as number;
	const exits = async () => (await guest.inspect('vm/vcpus/0/exits/port')) as number;
	while ((await samples()) < 100) await sleep(20);
	await guest.vm.update('vm/latencies/sampleEvery', '0');
	await guest.vm.pause();
	const then = await samples();
	t.true(then <= (await exits()));
	await guest.vm.reset();
	await guest.vm.resume();
	await guest.waitFor(/(CPUs: 1 found[\s\S]*){2}/);
	t.is(await samples(), then);
	await t.throwsAsync(guest.vm.update('vm/latencies/sampleEvery', 'often'), {code: 'INSPECT_VALUE_INVALID'});
	await t.throwsAsync(guest.vm.update('vm/vcpus/0/exits/port', '0'), {code: 'INSPECT_READ_ONLY'});
});

/** Real mode: wakes the device that hangs, then reads its port without end. */
function kernel(): string {
	const asm = createAssembler({origin: 0x7c00, bits: 16});
	asm.mov(dx, 0x610);
	asm.mov(al, 7);
	asm.out(dx, al);
	asm.label('loop');
	asm.in(al, dx);
	asm.jmp('loop');
	const path = join(folder, 'kernel');
	writeFileSync(path, asm.finish().bytes);
	return path;
}

for (const route of ['shared', 'remote'] as const) {
	test.serial(`while the devices' thread hangs, everything can be seen, device ${route}`, async (t) => {
		t.timeout(300_000);
		const release = join(folder, `release-${route}`);
		const module = join(process.cwd(), 'test/vmm/fixtures/hanging-device.ts');
		const config = vmConfig({
			memory: {sizeBytes: 2 ** 21},
			boot: {kind: 'flat', image: kernel(), address: 0x7c00, mode: 'real'},
			devices: [{module, route, options: {release}}],
		});
		const vm = await createVm(config);
		t.teardown(async () => {
			writeFileSync(release, '');
			await vm.stop();
		});
		await vm.start();
		const inspect = async (path: string, depth = 1) => toJson(await vm.inspect(path, {depth, timeoutMs: 60_000}));
		while (!String(await inspect('vm/reactor/status')).startsWith('hangs')) await sleep(50);
		t.deepEqual(failures(await inspect('', wholeDepth)), []);
		t.is(await inspect('vm/devices/hanging/state/written'), 7);
		const {rip, rdx} = (await inspect('vm/vcpus/0/registers')) as Record<string, string>;
		t.true(BigInt(rip ?? 0) >= 0x7c00n && BigInt(rip ?? 0) < 0x7c20n);
		t.is(rdx, '0x610');
		if (route === 'remote') {
			const slot = (await inspect('vm/mailboxes/0')) as object;
			t.like(slot, {state: 'posted', device: 'hanging', region: 'trigger', access: 'read of 1 byte'});
		} else t.true(((await inspect('vm/vcpus/0/exits/port')) as number) > 1);
	});
}
