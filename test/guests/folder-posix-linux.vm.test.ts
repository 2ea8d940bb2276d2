import {readdirSync} from 'node:fs';
import {VM} from '#main/api';
import {linuxTest} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';
import {debianMachine, endsWith, testFolder} from './testing/api-machine.ts';
import {answersOf, checksScript, fileSystemChecks} from './testing/file-system-checks.ts';

// The kernel for virtual machines has no 9P.
const kernel = 'generic';

linuxTest(
	"folders of the host by virtio-fs and by 9P do what Linux's own file system does",
	async (t) => {
		const folders = {fuse: testFolder(t, 'posix'), ninep: testFolder(t, 'posix')};
		const {initrd, kernel: path} = stockFiles(kernel);
		const ninep = {
			kind: 'virtio-9p-mmio',
			name: 'ninep',
			options: {tag: 'ninep', folder: folders.ninep, base: 0xd000_0000},
		};
		const options = {
			kernel: {kernel: path, cache: testFolder(t, 'cache')},
			...{initrd, network: false, folders: {'/fuse': folders.fuse}, devices: [ninep]},
		};
		const vm = endsWith(t, await VM.create(debianMachine(t, options)));
		await vm.exec(
			'mkdir -p /own /ninep; mount -t tmpfs own /own; mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 ninep /ninep',
			{check: true},
		);

		const said = async (folder: string) => {
			const script = '/tmp/script';
			await vm.files.write(script, checksScript(folder));
			return answersOf((await vm.exec(['/bin/busybox', 'sh', script])).stdout.replaceAll(script, 'script'));
		};
		const expected = await said('/own');
		t.is(Object.values(expected).filter((answer) => answer.trim() === '').length, 0, 'each says something');
		t.regex(expected['names of 255 bytes, and longer ones'] ?? '', /File name too long/);
		for (const folder of ['/fuse', '/ninep']) {
			t.deepEqual(await said(folder), expected, folder);
		}
		for (const folder of Object.values(folders)) t.is(readdirSync(folder).length, Object.keys(fileSystemChecks).length);
		t.is((await vm.exec("dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|(9pnet|fuse).*(fail|error)'")).stdout, '');
	},
	{kernel},
);
