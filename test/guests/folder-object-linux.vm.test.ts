import {createHash, randomBytes} from 'node:crypto';
import {archiveFolder, functionFolder, memoryFolder, overlayFolder} from '#main/folders';
import {makeTar} from '#main/tar/testing';
import {linuxTest, runInLinux, until} from '#test/petri';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

linuxTest('Linux works in folders that are objects of the program, by virtio-fs', async (t, make) => {
	const big = randomBytes(2 ** 20 + 17);
	const work = memoryFolder({'in/big': big, 'in/text': 'from the program'});
	const asked = new Set<string>();
	const made = overlayFolder(
		functionFolder((path) => {
			asked.add(path);
			return path === '/' ? ['answer'] : path === '/answer' ? '42\n' : undefined;
		}),
	);
	const device = (tag: string, folder: object, base: number) => ({
		name: tag,
		kind: 'virtio-fs-mmio',
		options: {tag, folder, base},
	});
	async function* tar() {
		yield makeTar([
			{path: 'etc/', mode: 0o750},
			{path: 'etc/big', mode: 0o640, user: 5, group: 6, data: big},
			{path: 'etc/link', type: '2', target: 'big'},
			{path: 'again', type: '1', target: 'etc/big'},
		]);
	}
	const packed = await archiveFolder(tar());
	const devices = [
		device('work', work, 0xd000_0000),
		device('made', made, 0xd000_1000),
		device('packed', packed, 0xd000_2000),
	];
	const guest = await runInLinux(make, {devices}, [
		'dmesg -c >/dev/null; modprobe -a virtio_mmio virtiofs; mkdir -p /work /made /packed',
		until('mount -t virtiofs work /work 2>/dev/null'),
		until('mount -t virtiofs made /made 2>/dev/null'),
		until('mount -t virtiofs packed /packed 2>/dev/null'),
		'cd /work; echo big=$(sha256sum <in/big | cut -c 1-64) text=$(cat in/text)',
		'mkdir -p out/deep; cp in/big out/deep/copy; ln -s deep/copy out/link; mv out/deep/copy out/deep/moved; chmod 600 out/deep/moved',
		'echo left=$(ls -R out | tr "\\n" " "); rm in/text; sync',
		'cat /made/answer; echo changed >/made/answer; echo new >/made/new; echo made=$(cat /made/answer) $(ls /made | tr "\\n" " ")',
		'echo packed=$(sha256sum </packed/etc/link | cut -c 1-64) $(stat -c %a,%u,%g,%h /packed/again) $(ls /packed/etc | tr "\\n" " ")',
		'echo x >/packed/again; rm /packed/again; mkdir /packed/new; echo left=$(ls /packed | tr "\\n" " ")',
		"dmesg | grep -v OPENVMM_RUN | grep -E 'fuse|WARNING: CPU|BUG:|Call Trace'; cd /; umount /work /made /packed && echo unmounted=yes",
	]);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	const {output} = guest;
	t.regex(output, new RegExp(`^big=${digestOf(big)} text=from the program\r?$`, 'm'), output);
	t.regex(output, /^42\r?$/m, output);
	t.regex(output, /^made=changed answer new\s*$/m, output);
	t.regex(output, new RegExp(`^packed=${digestOf(big)} 640,5,6,2 big link\\s*$`, 'm'), output);
	t.regex(output, /^left=again etc\s*$/m, output);
	t.is(output.match(/Read-only file system/g)?.length, 3, output);
	t.regex(output, /^unmounted=yes\r?$/m, output);
	t.notRegex(output, /WARNING: CPU|BUG:|Call Trace/);
	t.is(digestOf(work.readFile('/out/deep/moved')), digestOf(big));
	t.is(work.readlink('/out/link'), 'deep/copy');
	t.is(Number(work.lstat('/out/deep/moved').mode) & 0o777, 0o600);
	t.throws(() => work.lstat('/in/text'), {code: 'ENOENT'});
	t.true(asked.has('/answer'));
});
