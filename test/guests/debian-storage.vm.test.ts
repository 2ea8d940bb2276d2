import {closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {measureDisk} from '#devices/storage/source';
import {openTestSnapshot, snapshotPlace, vmTest, type X86BackEnd} from '#test/petri';
import {attachments, diskDevices} from './user-land/attachments.ts';
import {kernelComplaints, section, soleScript} from './user-land/script.ts';
import {btrfs, discarded, ext4, fio, nvmeTool, triedBytes} from './user-land/storage.ts';
import {hasUserLand, limitMs, userLandMachine, userLandTest} from './user-land/user-land.ts';

const mebibyte = 2 ** 20;
const trash = mkdtempSync(join(tmpdir(), 'openvmm-storage-'));
process.once('exit', () => rmSync(trash, {recursive: true, force: true}));

/** An empty disk of a test's own. */
function emptyDisk(name: string, bytes: number): string {
	const path = join(trash, name);
	closeSync(openSync(path, 'w'));
	truncateSync(path, bytes);
	return path;
}

for (const device of diskDevices) {
	const disk = attachments[device].tried;
	const tried = emptyDisk(device, triedBytes);
	userLandTest(`Debian boots with systemd from ${device}, and a disk of it keeps what programs write`, {
		...{processors: 2, device, tried},
		parts: [...(device === 'nvme' ? [nvmeTool] : []), fio(disk), ext4(disk), btrfs(disk), discarded(disk)],
		check: (t) => t.true(statSync(tried).blocks * 512 < mebibyte, 'the host has the room that was given back'),
	});

	const storageTest = (title: string, body: Parameters<typeof vmTest<X86BackEnd>>[2]) =>
		vmTest(title, {on: ['software', 'kvm'], skip: !hasUserLand()}, body);

	storageTest(`a file system on ${device} grows with its disk while it is in use`, async (t, machine) => {
		const path = emptyDisk(`${device}-grows`, 32 * mebibyte);
		const size = `$(blockdev --getsz ${disk})`;
		const script = soleScript({
			name: 'grown',
			lines: [
				`mkfs.ext4 -q -F ${disk}`,
				`mount ${disk} /mnt`,
				'dd if=/dev/urandom of=/mnt/kept bs=1M count=8 status=none',
				'sum=$(sha256sum </mnt/kept)',
				`old=${size}`,
				'echo wants=more',
				`while [ $old = ${size} ]; do sleep 0.2; done`,
				`resize2fs ${disk} >/dev/null 2>&1`,
				'dd if=/dev/zero of=/mnt/more bs=1M count=48 status=none',
				'[ "$sum" = "$(sha256sum </mnt/kept)" ] && echo kept=yes',
				'umount /mnt',
				`e2fsck -f -n ${disk} >/dev/null 2>&1 && echo checked=yes`,
			],
		});
		const asked = {processors: 1, device, tried: path, script, withoutSystemd: true};
		const guest = await machine(userLandMachine(t, asked).options);
		t.timeout(limitMs);
		await guest.vm.start();
		await guest.waitFor(/^wants=more\r?$/m);
		truncateSync(path, 96 * mebibyte);
		await guest.vm.control('tried', measureDisk);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		const output = guest.output.replaceAll('\r', '');
		t.is(section(t, output, 'grown'), 'wants=more\nkept=yes\nchecked=yes\n');
		t.deepEqual(kernelComplaints(t, output), [], output);
	});

	storageTest(
		`a snapshot of a disk on ${device} amid what fio writes loses and doubles nothing`,
		async (t, machine) => {
			const [path, directory] = [emptyDisk(`${device}-saved`, 64 * mebibyte), snapshotPlace(t)];
			const script = soleScript(fio(disk));
			// Amid fio's first job the disk comes near to a standstill, with what is under way.
			const policy = {limits: {iops_wr: 4, iops_wr_burst: 500}};
			const asked = {processors: 2, device, tried: path, policy, script, withoutSystemd: true};
			const {options} = userLandMachine(t, asked);
			const guest = await machine(options);
			t.timeout(limitMs);
			await guest.vm.start();
			const node = `vm/devices/tried/disks/${attachments[device].triedDisk}`;
			while (((await guest.inspect(`${node}/waiting`)) as number) < 8) await sleep(10);
			await guest.vm.pause();
			t.notRegex(guest.output, /--- ends/, 'fio is not done yet');
			await guest.vm.saveSnapshot(directory);
			await guest.vm.stop();
			const snapshot = openTestSnapshot(t, directory);
			const restored = await machine({...options, boot: {kind: 'none'}}, {snapshot});
			t.timeout(limitMs);
			await restored.vm.update(`${node}/limits/iops_wr`, '0');
			await restored.vm.start();
			t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
			const output = (guest.output + restored.output).replaceAll('\r', '');
			fio(disk).check(t, section(t, output, 'fio'));
			t.deepEqual(kernelComplaints(t, output), [], output);
		},
	);
}
