import {createHash, randomBytes} from 'node:crypto';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {type MemoryFolder, memoryFolder} from '#main/folders';
import {hearButton, linuxTest, openTestSnapshot, pressed, runInLinux, snapshotPlace, until} from '#test/petri';

// The kernel for virtual machines has no 9P.
const kernel = 'generic';
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Folder of a test, gone with it. */
function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-9p-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A machine with a folder of the host's on PCI, and one of the program's on MMIO. */
const machineWith = (folder: string, object: MemoryFolder): VmOptions & {readonly kernel: typeof kernel} => ({
	kernel,
	processors: {count: 2},
	pcie: {rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
	devices: [
		{name: 'files', kind: 'virtio-9p', port: 'rp0', options: {tag: 'files', folder}},
		{name: 'object', kind: 'virtio-9p-mmio', options: {tag: 'object', folder: object, base: 0xd000_0000}},
	],
});

const mountOf = (tag: string) =>
	until(`mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 ${tag} /${tag} 2>/tmp/why`);
const begin = [
	'dmesg -c >/dev/null',
	'modprobe -a virtio_pci virtio_mmio 9pnet_virtio 9p',
	'mkdir -p /files /object',
	mountOf('files'),
	mountOf('object'),
	hearButton,
];
const messages = "dmesg | grep -v OPENVMM_RUN | grep -E '9p|virtio|WARNING: CPU|BUG:|Call Trace'";
const complaints = /WARNING: CPU|BUG:|Call Trace|9pnet.*(fail|error|bogus|fatal)/i;
const found = (output: string, name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1] ?? '';

/** What Linux does in a folder, and says of it. */
const work = (tag: string) => [
	`cd /${tag}`,
	`echo ${tag}-big=$(sha256sum <big | cut -c 1-64)`,
	`dd if=/dev/urandom of=own bs=64k count=24 2>/dev/null; echo ${tag}-own=$(sha256sum <own | cut -c 1-64)`,
	'mkdir -p a/b/c many; echo text >a/b/c/file; ln a/b/c/file a/hard; ln -s b/c/file a/soft; mv a/b a/moved',
	`echo ${tag}-read=$(cat a/hard) dangling=$(cat a/soft 2>/dev/null) links=$(stat -c %h a/hard)`,
	'i=0; while [ $i -lt 60 ]; do echo $i >many/file-$i; i=$((i+1)); done',
	`echo ${tag}-many=$(ls many | wc -l) sum=$(cat many/* | wc -l); rm -r many`,
	'chmod 640 a/hard; truncate -s 100 a/hard; touch -d @1000000 a/hard',
	`echo ${tag}-stat=$(stat -c '%a %s %Y' a/moved/c/file)`,
	`(flock 9; echo ${tag}-locked=yes) 9>lock`,
	`exec 7>gone; echo still >&7; rm gone; echo more >&7; exec 7>&-; echo ${tag}-appended=$(echo one >log; echo two >>log; cat log | tr '\\n' ' ')`,
	`ls /${tag}/../${tag}/.. >/dev/null && echo ${tag}-climbs=no`,
	'cd /',
];

linuxTest(
	'Linux mounts a folder of the host and one of the program by 9P, and both sides work in them',
	async (t, make) => {
		const [folder, content] = [folderOf(t), randomBytes(3 * 2 ** 20 + 123)];
		writeFileSync(join(folder, 'big'), content);
		const object = memoryFolder({big: content, 'from-program': 'made by the program'});
		const guest = await runInLinux(make, machineWith(folder, object), [
			...begin,
			...work('files'),
			...work('object'),
			'echo program=$(cat /object/from-program); echo wants=host',
			until(pressed(1)),
			'echo changed=$(cat /files/new) $(cat /object/new)',
			'umount /files /object && echo unmounted=yes',
			messages,
		]);
		await guest.waitFor(/^wants=host\r?$/m);
		writeFileSync(join(folder, 'new'), 'of the host');
		object.put('new', 'of the program');
		await guest.vm.powerButton();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		const {output} = guest;
		const own = {files: readFileSync(join(folder, 'own')), object: object.readFile('/own')};
		for (const tag of ['files', 'object'] as const) {
			t.is(found(output, `${tag}-big`), digestOf(content), output);
			t.is(found(output, `${tag}-own`), digestOf(own[tag]), output);
			t.is(found(output, `${tag}-read`), 'text dangling= links=2', output);
			t.is(found(output, `${tag}-many`), '60 sum=60', output);
			t.is(found(output, `${tag}-stat`), '640 100 1000000', output);
			t.is(found(output, `${tag}-locked`), 'yes', output);
			t.is(found(output, `${tag}-appended`).trim(), 'one two', output);
			t.is(found(output, `${tag}-climbs`), 'no', output);
		}
		t.is(found(output, 'program'), 'made by the program');
		t.is(found(output, 'changed'), 'of the host of the program');
		t.is(found(output, 'unmounted'), 'yes', output);
		t.notRegex(output, complaints);
		t.true(existsSync(join(folder, 'a/moved/c/file')));
		t.deepEqual(readdirSync(folder).sort(), ['a', 'big', 'lock', 'log', 'new', 'own']);
		t.deepEqual(
			object
				.readdir('/')
				.map(({name}) => name)
				.sort(),
			['a', 'big', 'from-program', 'lock', 'log', 'new', 'own'],
		);
	},
	{kernel},
);

linuxTest(
	'Linux goes on from a snapshot with its files of both folders open, each clone with an object of its own',
	async (t, make) => {
		const [folder, content] = [folderOf(t), randomBytes(2 ** 20)];
		writeFileSync(join(folder, 'file'), content);
		const files = {file: content, 'deep/': ''};
		const directory = snapshotPlace(t);
		const guest = await runInLinux(make, machineWith(folder, memoryFolder(files)), [
			...begin,
			'cd /files; mkdir -p deep; exec 5<file 6>>deep/log; head -c 1000 <&5 >/tmp/first; echo begun >&6',
			'exec 7</object/file; head -c 1000 <&7 >/tmp/second; cd /object/deep',
			'echo wants=snapshot',
			until(pressed(1)),
			'cat <&5 >/tmp/rest; echo file=$(cat /tmp/first /tmp/rest | sha256sum | cut -c 1-64)',
			'cat <&7 >/tmp/rest; echo object=$(cat /tmp/second /tmp/rest | sha256sum | cut -c 1-64)',
			'echo ended >&6; echo log=$(cat /files/deep/log | tr "\\n" " "); echo here >new; echo made=$(cat /object/deep/new)',
			messages,
		]);
		await guest.waitFor(/^wants=snapshot\r?$/m);
		await guest.vm.pause();
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();
		const snapshot = openTestSnapshot(t, directory);
		const own = memoryFolder(files);
		const {kernel: _, ...machine} = machineWith(folder, own);
		const restored = await make({...machine, boot: {kind: 'none'}}, {snapshot});
		await restored.vm.start();
		await restored.vm.powerButton();
		t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
		const {output} = restored;
		t.is(found(output, 'file'), digestOf(content), output);
		t.is(found(output, 'object'), digestOf(content), output);
		t.is(found(output, 'log').trim(), 'begun ended', output);
		t.is(found(output, 'made'), 'here', output);
		t.is(`${Buffer.from(own.readFile('/deep/new'))}`, 'here\n');
		t.notRegex(output, complaints);
	},
	{kernel},
);
