import {mkdtempSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {debugcon} from './index.ts';

test('bytes reach the file as they were written and a read tells that the port is there', async (t) => {
	const path = join(mkdtempSync(join(tmpdir(), 'debugcon-')), 'out');
	const device = new DeviceUnderTest(debugcon, {port: 0xe9, backend: {kind: 'file', path}});
	const back = device.startBack();
	for (const char of 'line\n\0\xff') device.out(0xe9, char.charCodeAt(0));
	await device.stopBack();
	back.dispose();
	t.is(readFileSync(path, 'latin1'), 'line\n\0\xff');
	t.is(device.in(0xe9), 0xe9);
	t.is(device.state.txBytes, 7);
});

test('a guest that floods the port loses only what was never accepted, and it is counted', (t) => {
	const device = new DeviceUnderTest(debugcon, {port: 0xe9, backend: {kind: 'stderr'}});
	for (let count = 0; count < 70_000; count++) device.out(0xe9, 0x2e);
	t.is(device.state.txBytes, 65_536);
	t.is(device.state.txDropped, 70_000 - 65_536);
});
