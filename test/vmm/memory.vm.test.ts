import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, guestProgram, load, store, word} from '#test/guest-program';
import {everyBackEnd, type TestVm, vmTest, x86BackEnds} from '#test/petri';

const everywhere = {on: everyBackEnd};
const sizeBytes = 64 * 2 ** 20;
const content = {kind: 'exit', status: 1} as const;
const [low, high, mark] = [0x20_0000, sizeBytes - 4, 0x1234_5678];
const value = word('value');
const program = guestProgram({
	name: 'stores',
	main: [
		...[low, high].flatMap((address) => [load(value, address, 4), expect(value, '==', 0), store(address, 4, mark)]),
		...[low, high].flatMap((address) => [load(value, address, 4), expect(value, '==', mark)]),
	],
});

vmTest('memory backed by a file leaves the guest and what it stored in the file', everywhere, async (t, machine) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-memory-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const file = join(folder, 'ram');
	const {vm} = await machine({memory: {sizeBytes, file}, program});
	await vm.start();
	t.deepEqual(await vm.ended, content);
	await vm.stop();
	t.is(statSync(file).size, sizeBytes);
	const bytes = readFileSync(file);
	t.deepEqual(
		[low, high].map((address) => bytes.readUInt32LE(address)),
		[mark, mark],
	);
	const {loadAddress, image} = program.kernel;
	t.is(bytes.compare(image, 0, 64, loadAddress, loadAddress + 64), 0, 'the code');
});

vmTest('private memory and memory without transparent huge pages run the guest', everywhere, async (t, machine) => {
	for (const memory of [
		{sizeBytes, shared: false},
		{sizeBytes, thp: false},
	]) {
		const {vm} = await machine({memory, program});
		await vm.start();
		t.deepEqual(await vm.ended, content);
		await vm.stop();
	}
});

vmTest('prefetch commits every page and reports it', everywhere, async (t, machine) => {
	const seen: number[] = [];
	const prefetched = (done: number, total: number) => {
		t.is(total, sizeBytes);
		seen.push(done);
	};
	const guest = await machine({memory: {sizeBytes, prefetch: true}, program}, {prefetched});
	const {vm} = guest;
	t.is(await residentBytes(guest), sizeBytes);
	t.is(seen.at(-1), sizeBytes);
	await vm.start();
	t.deepEqual(await vm.ended, content);
});

const pool = '/proc/sys/vm/nr_hugepages';
// It changes the host, as unit tests do not.
const withPool = {on: x86BackEnds, skip: !existsSync(pool)};
const title = 'huge pages run the guest when the host has them, and are named when it has not';
vmTest(title, withPool, async (t, machine) => {
	const before = readFileSync(pool, 'latin1');
	t.teardown(() => writeFileSync(pool, before));
	writeFileSync(pool, '40');
	const memory = {sizeBytes, hugepages: true, thp: false};
	const {vm} = await machine({memory, program});
	await vm.start();
	t.deepEqual(await vm.ended, content);
	await vm.stop();
	writeFileSync(pool, '0');
	const error = await t.throwsAsync(machine({memory, program}), {code: 'CONFIG_HUGEPAGES_SHORT'});
	t.regex(error.message, /32 huge pages of 2MB, the host has \d+ free/);
});

/** Resident memory of this process, shared pages included. */
async function residentBytes(guest: TestVm): Promise<number> {
	const ranges = await guest.inspect('vm/memory/ranges', 2);
	return Object.values(ranges as Readonly<Record<string, {readonly resident: number}>>).reduce(
		(sum, {resident}) => sum + resident,
		0,
	);
}
