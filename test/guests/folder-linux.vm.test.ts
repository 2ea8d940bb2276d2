import {createHash, randomBytes} from 'node:crypto';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {close, lockFile, O, open} from '#support/ffi';
import {flagged, hearButton, linuxTest, openTestSnapshot, pressed, runInLinux, snapshotPlace, until} from '#test/petri';
import {lockProgram} from './testing/lock-program.ts';
import {mapProgram} from './testing/map-program.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Folder of a test, gone with it. */
function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-shared-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A machine that has a folder. */
const machineOn = (bus: 'pci' | 'mmio', folder: string, options = ''): VmOptions =>
	bus === 'mmio'
		? {processors: {count: 2}, devices: flagged({'virtio-fs': [`host,${folder}${options}`]})}
		: {
				processors: {count: 2},
				pcie: {rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
				devices: flagged({'virtio-fs': [`pcie_port=rp0:host,${folder}${options}`]}),
			};

const mount = [
	'dmesg -c >/dev/null',
	'modprobe -a virtio_pci virtio_mmio virtiofs',
	until('grep -q virtiofs /proc/filesystems'),
	`mkdir -p /shared; ${until('mount -t virtiofs host /shared')}`,
];
const messages = "dmesg | grep -v OPENVMM_RUN | grep -E 'fuse|virtio|WARNING: CPU|BUG:|Call Trace'";
const complaints = /WARNING: CPU|BUG:|Call Trace|virtio_fs.*(fail|error)/i;
const found = (output: string, name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1] ?? '';

linuxTest('Linux mounts a folder of the host, and both work in it', async (t, make) => {
	const folder = folderOf(t);
	const content = randomBytes(5 * 2 ** 20 + 123);
	writeFileSync(join(folder, 'big'), content);
	mkdirSync(join(folder, 'many'));
	for (let file = 0; file < 200; file++) writeFileSync(join(folder, 'many', `file-${file}`), `${file}`);
	const guest = await runInLinux(make, machineOn('mmio', folder, ',xattrs,locks'), [
		...mount,
		hearButton,
		'cd /shared; echo big=$(sha256sum <big | cut -c 1-64) many=$(ls many | wc -l) sum=$(cat many/* | md5sum | cut -c 1-32)',
		'dd if=/dev/urandom of=own bs=64k count=48 2>/dev/null; echo own=$(sha256sum <own | cut -c 1-64)',
		'mkdir -p a/b/c; echo text >a/b/c/file; ln a/b/c/file a/hard; ln -s b/c/file a/soft; mv a/b a/moved; rm -r many',
		'echo read=$(cat a/hard) dangling=$(cat a/soft 2>/dev/null) links=$(stat -c %h a/hard) type=$(stat -f -c %T .)',
		'chmod 640 a/hard; echo mode=$(stat -c %a a/moved/c/file); truncate -s 100 a/hard; echo size=$(stat -c %s a/moved/c/file)',
		'mkfifo pipe; (echo through >pipe &) ; echo fifo=$(cat pipe); mknod null c 1 3 2>/dev/null || echo device=no',
		'(lock=/shared/lock; $lock f; echo one >>order; sleep 1; echo two >>order) 9>held & sleep 0.3; (/shared/lock f; echo three >>order) 9>held; wait',
		'echo order=$(cat order | tr "\\n" " ")',
		'mkfifo /tmp/fifo; (/shared/lock p </tmp/fifo >first) 9<>ranges & exec 8>/tmp/fifo; ' +
			until('grep -q locked first'),
		'(/shared/lock p </dev/null >second) 8>&- 9<>ranges & sleep 0.3; echo waits=$(wc -c <second)',
		'cat mine 2>/dev/null; echo made >mine; echo mine=$(cat mine); rm mine; mkdir mine && echo dir=made',
		'cat new 2>/dev/null; cat big >/dev/null; stat -c %s big >/dev/null; echo changed=$(cat change); echo wants=host',
		until(pressed(1)),
		// It has known all of them since before the host changed them, of one that there was none, and takes that for true for a second of its own.
		'sleep 1; echo within=$(stat -c %s change),$(stat -c %s big),$(cat change),$(cat new)',
		'exec 8>&-; wait; echo got=$(cat second)',
		'echo changed=$(cat change) new=$(cat new) bigger=$(sha256sum <big | cut -c 1-64)',
		'cd /; umount /shared && mount -t virtiofs host /shared && echo again=$(sha256sum </shared/own | cut -c 1-64)',
		messages,
		'echo all=done',
	]);
	writeFileSync(join(folder, 'change'), 'before');
	writeFileSync(join(folder, 'lock'), lockProgram(), {mode: 0o755});
	await guest.waitFor(/^wants=host\r?$/m);
	const lock = open(join(folder, 'held'), O.RDWR);
	t.is(lockFile(lock), 0, 'nobody has it any more');
	close(lock);
	const bigger = randomBytes(3 * 2 ** 20);
	writeFileSync(join(folder, 'change'), 'after it');
	writeFileSync(join(folder, 'new'), 'came');
	writeFileSync(join(folder, 'big'), bigger);
	await guest.vm.powerButton();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	const {output} = guest;
	t.regex(output, new RegExp(`^big=${digestOf(content)} many=200 sum=[0-9a-f]{32}\r?$`, 'm'), output);
	t.is(found(output, 'own'), digestOf(readFileSync(join(folder, 'own'))), output);
	t.regex(output, /^read=text dangling= links=2/m, output);
	t.regex(output, /^mode=640\r?$/m);
	t.regex(output, /^size=100\r?$/m);
	t.regex(output, /^fifo=through\r?$/m);
	t.regex(output, /^device=no\r?$/m);
	t.regex(output, /^order=one two three\s*$/m);
	t.regex(output, /^waits=0\r?$/m);
	t.regex(output, /^mine=made\s+dir=made\r?$/m, 'what was not there is there as the guest makes it');
	t.regex(output, /^got=locked\r?$/m);
	t.regex(output, /^changed=before\r?$/m);
	t.is(found(output, 'within'), `8,${bigger.length},after it,came`, output);
	t.regex(output, new RegExp(`^changed=after it new=came bigger=${digestOf(bigger)}\r?$`, 'm'));
	t.is(found(output, 'again'), found(output, 'own'));
	t.regex(output, /^all=done/m);
	t.notRegex(output, complaints);
	t.is(statSync(join(folder, 'a', 'hard')).mode, 0o100640);
});

linuxTest('Linux has files of a folder in its memory, and what it writes there is in them', async (t, make) => {
	const folder = folderOf(t);
	const content = randomBytes(5 * 2 ** 20 + 123);
	writeFileSync(join(folder, 'big'), content);
	const guest = await runInLinux(make, machineOn('pci', folder, ',dax=16M'), [
		'dmesg -c >/dev/null',
		'modprobe -a virtio_pci virtiofs',
		`mkdir -p /shared; ${until('mount -t virtiofs -o dax=always host /shared')}`,
		'grep /shared /proc/mounts',
		'echo big=$(sha256sum </shared/big | cut -c 1-64)',
		'dd if=/dev/urandom of=/tmp/own bs=64k count=32 2>/dev/null; dd if=/tmp/own of=/shared/big bs=64k conv=notrunc,fsync 2>/dev/null',
		'for round in 1 2 3; do cp /tmp/own /shared/copy-$round; cmp /tmp/own /shared/copy-$round && echo round=$round; done',
		'echo own=$(sha256sum </tmp/own | cut -c 1-64)',
		messages,
		'umount /shared && echo all=done',
	]);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	const {output} = guest;
	t.regex(output, /\/shared virtiofs .*dax=always/, output);
	t.is(found(output, 'big'), digestOf(content), output);
	const written = readFileSync(join(folder, 'big'));
	t.regex(output, new RegExp(`^own=${digestOf(written.subarray(0, 2 ** 21))}`, 'm'), output);
	t.is(digestOf(written.subarray(2 ** 21)), digestOf(content.subarray(2 ** 21)));
	t.regex(output, /^round=3\r?$/m, output);
	t.regex(output, /^all=done/m);
	t.notRegex(output, complaints);
});

linuxTest('Linux goes on with its folder and its open files from a snapshot', async (t, make) => {
	const folder = folderOf(t);
	const content = randomBytes(2 ** 20);
	writeFileSync(join(folder, 'file'), content);
	const directory = snapshotPlace(t);
	const machine = machineOn('mmio', folder);
	const guest = await runInLinux(make, machine, [
		...mount,
		hearButton,
		'cd /shared; mkdir -p deep/er; exec 5<file 6>>deep/er/log; head -c 1000 <&5 >/tmp/first; echo begun >&6',
		'echo wants=snapshot',
		until(pressed(1)),
		'cat <&5 >/tmp/rest; echo file=$(cat /tmp/first /tmp/rest | sha256sum | cut -c 1-64)',
		'echo ended >&6; echo log=$(cat deep/er/log | tr "\\n" " "); mkdir deep/new && echo made=yes',
		messages,
	]);
	await guest.waitFor(/^wants=snapshot\r?$/m);
	await guest.vm.pause();
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	const snapshot = openTestSnapshot(t, directory);
	const restored = await make({...machine, boot: {kind: 'none'}}, {snapshot});
	await restored.vm.start();
	await restored.vm.powerButton();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
	t.regex(restored.output, new RegExp(`^file=${digestOf(content)}\r?$`, 'm'), restored.output);
	t.regex(restored.output, /^log=begun ended\s*$/m, restored.output);
	t.regex(restored.output, /^made=yes\r?$/m);
	t.is(readFileSync(join(folder, 'deep', 'er', 'log'), 'utf8'), 'begun\nended\n');
	t.notRegex(restored.output, complaints);
});

linuxTest('Linux goes on with a file of a folder in a program\u2019s memory from a snapshot', async (t, make) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'map'), mapProgram(), {mode: 0o755});
	const file = join(folder, 'file');
	const content = Buffer.alloc(3 * 2 ** 20);
	content.write('first');
	writeFileSync(file, content);
	const directory = snapshotPlace(t);
	const machine = machineOn('pci', folder, ',dax=16M');
	const guest = await runInLinux(make, machine, [
		'dmesg -c >/dev/null',
		'modprobe -a virtio_pci virtiofs',
		`mkdir -p /shared; ${until('mount -t virtiofs -o dax=always host /shared')}`,
		hearButton,
		'mkfifo /tmp/fifo; (/shared/map </tmp/fifo >/tmp/said) 9<>/shared/file & exec 8>/tmp/fifo',
		until('grep -q mapped /tmp/said'),
		'echo wants=snapshot',
		until(pressed(1)),
		'exec 8>&-; wait; echo said=$(cat /tmp/said | tr "\\n" " ")',
		'echo again=$(head -c 4 /shared/file)',
		messages,
		'umount /shared && echo all=done',
	]);
	await guest.waitFor(/^wants=snapshot\r?$/m);
	t.is(readFileSync(file).toString('latin1', 4096, 4100), 'firs', 'what the program writes is in the file');
	await guest.vm.pause();
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	writeFileSync(file, 'host', {flag: 'r+'});
	const snapshot = openTestSnapshot(t, directory);
	const restored = await make({...machine, boot: {kind: 'none'}}, {snapshot});
	await restored.vm.start();
	await restored.vm.powerButton();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
	t.regex(restored.output, /^said=mapped host\r?$/m, restored.output);
	t.regex(restored.output, /^again=host\r?$/m);
	t.is(readFileSync(file).toString('latin1', 4096, 4100), 'last');
	t.regex(restored.output, /^all=done/m);
	t.notRegex(restored.output, complaints);
});
