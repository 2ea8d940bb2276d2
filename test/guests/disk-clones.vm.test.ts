import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
	flagged,
	hearButton,
	linuxTest,
	linuxVm,
	openTestSnapshot,
	pressed,
	snapshotPlace,
	until,
	untilReadable,
} from '#test/petri';

const mebibyte = 2 ** 20;
const block = 65536;
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const filesOf = (folder: string) => readdirSync(folder).map((name) => digest(readFileSync(join(folder, name))));

const read = (disk: string, skip: number, count: number) =>
	`dd if=/dev/$${disk} bs=64k skip=${skip} count=${count} iflag=direct 2>/dev/null`;
const write = (from: string, disk: string, seek: string) =>
	`dd if=${from} of=/dev/$${disk} bs=64k seek=${seek} oflag=direct conv=notrunc 2>/dev/null`;
const script = [
	`dmesg -c >/dev/null; modprobe -a virtio_mmio virtio_blk; ${hearButton}`,
	untilReadable('/dev/vda', '/dev/vdb', '/dev/vdc'),
	'for d in vda vdb vdc; do eval $(cat /sys/block/$d/serial)=$d; done',
	'dd if=/dev/urandom of=/tmp/sent bs=64k count=16 2>/dev/null',
	`${write('/tmp/sent', 'over', '48')}; ${write('/tmp/sent', 'ram', '0')}`,
	'echo ready=yes',
	'while me=$(dd if=/dev/$who bs=512 count=1 iflag=direct 2>/dev/null | cut -c1-3); [ $me = one ]; do sleep 0.1; done',
	// Each writes its name in the middle of what was there, and to a place of its own.
	'for i in $(seq 6000); do echo $me-was-here; done | head -c 65536 >/tmp/mark',
	`${write('/tmp/mark', 'over', '50')}; ${write('/tmp/mark', 'ram', '2')}`,
	`own=100; [ $me = two ] || own=101; ${write('/tmp/mark', 'over', '$own')}`,
	// Both have written before either of them reads.
	'echo wrote=all',
	until(pressed()),
	'echo 3 >/proc/sys/vm/drop_caches',
	'dd if=/tmp/mark of=/tmp/sent bs=64k seek=2 conv=notrunc 2>/dev/null',
	`${read('over', 48, 16)} | cmp - /tmp/sent && echo over=same`,
	`${read('ram', 0, 16)} | cmp - /tmp/sent && echo ram=same`,
	`for i in 100 101; do echo at$i=$(${read('over', 0, 1).replace('skip=0', 'skip=$i')} | sha256sum); done`,
	'echo mark=$(sha256sum </tmp/mark)',
	"dmesg | grep -v OPENVMM_RUN | grep -E 'I/O error|WARNING: CPU|BUG:|Call Trace'",
	'echo $me=done',
].join('; ');

linuxTest(
	'clones go on with what their machine wrote over a file and to RAM, write apart, and change neither file nor snapshot',
	async (t, machine) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-clones-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const base = join(folder, 'base.img');
		const content = randomBytes(16 * mebibyte);
		writeFileSync(base, content);
		const options = {memory: {sizeBytes: 256 * mebibyte}, processors: {count: 1}};
		/** The disks of a machine, of which one tells it who it is. */
		const disksOf = (name: string) => {
			const who = join(folder, `${name}.img`);
			writeFileSync(who, name.padEnd(4096));
			return flagged({'virtio-blk': [`memdiff:${base},serial=over`, 'mem:1M,serial=ram', `${who},ro,serial=who`]});
		};
		const directory = snapshotPlace(t);
		const guest = await linuxVm(machine, {...options, devices: disksOf('one')}, `OPENVMM_RUN="${script}"`);
		await guest.vm.start();
		await guest.waitFor(/^ready=yes\r?$/m);
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();
		const saved = filesOf(directory);
		const {blocks} = statSync(join(directory, 'disks.bin'));
		t.true(blocks * 512 >= 2 * mebibyte && blocks * 512 < 3 * mebibyte, `${blocks * 512} bytes`);
		const snapshot = openTestSnapshot(t, directory);
		const clone = (name: string) => machine({...options, boot: {kind: 'none'}, devices: disksOf(name)}, {snapshot});
		const clones = await Promise.all(['two', 'six'].map(clone));
		await Promise.all(clones.map(({vm}) => vm.start()));
		for (const restored of clones) await restored.waitFor(/^wrote=all/m);
		for (const {vm} of clones) await vm.powerButton();
		for (const restored of clones) t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
		for (const [index, [name, own, other]] of (
			[
				['two', 100, 101],
				['six', 101, 100],
			] as const
		).entries()) {
			const output = clones[index]?.output ?? '';
			const told = (what: string) => new RegExp(`^${what}=(\\w+)`, 'm').exec(output)?.[1];
			t.is(told(name), 'done', output);
			t.is(told(`at${own}`), told('mark'), output);
			t.is(told(`at${other}`), digest(content.subarray(other * block, (other + 1) * block)), output);
			t.deepEqual([told('over'), told('ram')], ['same', 'same'], output);
			t.notRegex(output, /I\/O error|WARNING: CPU|BUG:|Call Trace/);
		}
		t.true(readFileSync(base).equals(content));
		t.deepEqual(filesOf(directory), saved);
	},
);
