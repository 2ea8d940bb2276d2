import test from 'ava';
import type {Machine} from './operation.ts';
import {checkParams} from './param.ts';
import {insert, limitDisk, resizeDisk} from './running.ts';

test('limits of a disk are changed where inspect shows them, each that is named', async (t) => {
	const updates: string[] = [];
	const vm = {update: async (path: string, text: string) => void updates.push(`${path}=${text}`)};
	const run = (given: Readonly<Record<string, unknown>>) =>
		limitDisk.run(vm as unknown as Machine, checkParams('limit-disk', limitDisk.params, given) as never, {quit() {}});
	await run({device: 'disk', limits: 'bps=2K,iops=0'});
	await run({device: 'fast', limits: 'iops_rd_burst=7', disk: 3});
	t.deepEqual(updates, [
		'vm/devices/disk/disks/0/limits/bps=2048',
		'vm/devices/disk/disks/0/limits/iops=0',
		'vm/devices/fast/disks/3/limits/iops_rd_burst=7',
	]);
	for (const limits of ['bps=-1', 'bps=9999T', 'iops_wr='])
		await t.throwsAsync(async () => run({device: 'disk', limits}), {code: 'CONFIG_VALUE_INVALID'});
	await t.throwsAsync(async () => run({device: 'disk', limits: 'speed=1'}), {code: 'CONFIG_KEY_UNKNOWN'});
	t.is(updates.length, 3);
});

test('a disk is given its new length where inspect shows it, and then measured', async (t) => {
	const done: string[] = [];
	const vm = {
		update: async (path: string, text: string) => void done.push(`${path}=${text}`),
		control: async (device: string, {kind}: {kind: string}) => void done.push(`${kind} ${device}`),
	};
	const run = (given: Readonly<Record<string, unknown>>) =>
		resizeDisk.run(vm as unknown as Machine, checkParams('resize-disk', resizeDisk.params, given) as never, {
			quit() {},
		});
	await run({device: 'disk'});
	await run({device: 'fast', size: 2 ** 30, disk: 3});
	t.deepEqual(done, ['measure-disk disk', 'vm/devices/fast/disks/3/newSize=1073741824', 'measure-disk fast']);
	for (const size of [-1, 2 ** 51, '1G'])
		await t.throwsAsync(async () => run({device: 'disk', size}), {code: 'CONTROL_PARAM_INVALID'});
	t.is(done.length, 3);
});

test('another medium is a file that is there, as the client has named it', async (t) => {
	const asked: unknown[] = [];
	const vm = {control: async (device: string, command: object) => void asked.push([device, command])};
	const run = (given: Readonly<Record<string, unknown>>) =>
		insert.run(vm as unknown as Machine, checkParams('insert-medium', insert.params, given) as never, {quit() {}});
	const path = import.meta.filename;
	await run({device: 'scsi0', lun: 3, file: path});
	await run({device: 'scsi0', lun: 3, force: true});
	t.deepEqual(asked, [
		['scsi0', {kind: 'insert-medium', lun: 3, force: false, path}],
		['scsi0', {kind: 'insert-medium', lun: 3, force: true}],
	]);
	await t.throwsAsync(run({device: 'scsi0', lun: 3, file: `${path}.iso`}), {
		code: 'CONFIG_PATH_MISSING',
		message: /does not exist/,
	});
	await t.throwsAsync(async () => run({device: 'scsi0', lun: 3, file: 'disc.iso'}), {code: 'CONTROL_PARAM_INVALID'});
	t.is(asked.length, 2);
});
