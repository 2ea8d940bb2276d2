import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {embedded, testVm} from '#test/petri';

const sizeBytes = 64 * 2 ** 20;
const boot = embedded('work=10000');
const banner = 'OpenVMM embedded guest';

test.serial('memory backed by a file leaves the guest in the file', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-memory-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const file = join(folder, 'ram');
	const guest = await testVm(t, {memory: {sizeBytes, file}, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	t.is(statSync(file).size, sizeBytes);
	t.true(readFileSync(file).includes(banner), 'the guest image is in the file');
});

test.serial('private memory and memory without transparent huge pages run the guest', async (t) => {
	for (const memory of [
		{sizeBytes, shared: false},
		{sizeBytes, thp: false},
	]) {
		const guest = await testVm(t, {memory, boot});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	}
});

test.serial('prefetch commits every page and reports it', async (t) => {
	const seen: number[] = [];
	const prefetched = (done: number, total: number) => {
		t.is(total, sizeBytes);
		seen.push(done);
	};
	const residentBefore = residentBytes();
	const guest = await testVm(t, {memory: {sizeBytes, prefetch: true}, boot}, {prefetched});
	t.true(residentBytes() - residentBefore >= sizeBytes);
	t.is(seen.at(-1), sizeBytes);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
});

const pool = '/proc/sys/vm/nr_hugepages';

const hugePageTest = existsSync(pool) ? test.serial : test.serial.skip;

hugePageTest('huge pages run the guest when the host has them, and are named when it has not', async (t) => {
	const before = readFileSync(pool, 'latin1');
	t.teardown(() => writeFileSync(pool, before));
	writeFileSync(pool, '40');
	const guest = await testVm(t, {memory: {sizeBytes, hugepages: true, thp: false}, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	writeFileSync(pool, '0');
	const error = await t.throwsAsync(testVm(t, {memory: {sizeBytes, hugepages: true, thp: false}, boot}), {
		code: 'CONFIG_HUGEPAGES_SHORT',
	});
	t.regex(error.message, /32 huge pages of 2MB, the host has \d+ free/);
});

/** Resident memory of this process, shared pages included. */
function residentBytes(): number {
	const [, pages] = readFileSync('/proc/self/statm', 'latin1').split(' ');
	return Number(pages) * 4096;
}
