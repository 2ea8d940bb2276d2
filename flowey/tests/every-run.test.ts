import {globSync} from 'node:fs';
import test from 'ava';
import {PATHS} from '../core/index.ts';
import {
	bootsUserLand,
	builtTestName,
	everyRun,
	longestFirst,
	needsGuestTools,
	needsHardwareKernels,
	needsRuntimes,
} from './every-run.ts';

const built = globSync('{src,test}/**/*.{kvm,vm}.test.ts', {cwd: PATHS.repo}).map(
	(source) => `.build/run-1/${source.replaceAll('/', '.').replace(/\.ts$/, '.js')}`,
);

test('every test about KVM itself, what guest programs mean and one Linux boot run where KVM is emulated', (t) => {
	const {now, later} = everyRun('emulatedKvm', built);

	t.deepEqual(now.filter((file) => !/run-1\/(src\.vcpu-worker|test\.incubator)\./.test(file)).toSorted(), [
		'.build/run-1/test.guests.moves.kvm.test.js',
		'.build/run-1/test.guests.stock-linux.vm.test.js',
		'.build/run-1/test.vmm.guest-program.vm.test.js',
	]);
	t.false(later.some((file) => /src\.vcpu-worker|test\.incubator/.test(file)));
	t.deepEqual([...now, ...later].toSorted(), built.toSorted());
});

test('on the software processor all run but what takes minutes, and its kernels and disks are fetched only with it', (t) => {
	const {now, later} = everyRun('software', built);

	t.deepEqual(later.toSorted(), [
		'.build/run-1/test.guests.api-snapshot-linux.vm.test.js',
		'.build/run-1/test.guests.debian-agent.vm.test.js',
		'.build/run-1/test.guests.debian-configure.vm.test.js',
		'.build/run-1/test.guests.debian-first-boot.vm.test.js',
		'.build/run-1/test.guests.debian-power-cut.vm.test.js',
		'.build/run-1/test.guests.debian-storage.vm.test.js',
		'.build/run-1/test.guests.debian-user-land.vm.test.js',
		'.build/run-1/test.guests.folder-9p-linux.vm.test.js',
		'.build/run-1/test.guests.folder-posix-linux.vm.test.js',
		'.build/run-1/test.guests.generations.vm.test.js',
		'.build/run-1/test.guests.guest-panics.vm.test.js',
		'.build/run-1/test.guests.hanging-disk.vm.test.js',
		'.build/run-1/test.guests.hardware-kernels.vm.test.js',
		'.build/run-1/test.guests.many-processors.vm.test.js',
		'.build/run-1/test.guests.net-amid-linux.vm.test.js',
		'.build/run-1/test.guests.net-control-linux.vm.test.js',
		'.build/run-1/test.guests.net-datagrams-linux.vm.test.js',
		'.build/run-1/test.guests.networkd-linux.vm.test.js',
		'.build/run-1/test.guests.parallel-connections.vm.test.js',
		'.build/run-1/test.guests.run-background.vm.test.js',
		'.build/run-1/test.guests.run-packages.vm.test.js',
		'.build/run-1/test.guests.runtimes.vm.test.js',
		'.build/run-1/test.guests.suspend.vm.test.js',
		'.build/run-1/test.guests.switch-peers.vm.test.js',
		'.build/run-1/test.guests.tools-folders.vm.test.js',
		'.build/run-1/test.guests.tools-network.vm.test.js',
		'.build/run-1/test.guests.tools-posix.vm.test.js',
		'.build/run-1/test.guests.tools-snapshot.vm.test.js',
	]);
	t.is(now.length + later.length, built.length);
	t.deepEqual([needsHardwareKernels(now), needsHardwareKernels(later)], [false, true]);
	t.deepEqual([bootsUserLand(now), bootsUserLand(later)], [false, true]);
	t.deepEqual([needsRuntimes(now), needsRuntimes(later)], [false, true]);
	t.deepEqual([needsGuestTools(now), needsGuestTools(later)], [false, true]);
});

test('files that take longest start first, wherever they run, and none is lost', (t) => {
	const files = longestFirst(built);

	t.deepEqual(files.toSorted(), built.toSorted());
	for (const on of ['software', 'emulatedKvm'] as const)
		t.is(builtTestName(everyRun(on, files).now[0] ?? ''), 'test.guests.stock-linux.vm');
});
