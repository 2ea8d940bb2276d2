import test from 'ava';
import {openDisk} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import {LogPages} from './log-pages.ts';
import {hostBytes, Namespaces} from './namespaces.ts';
import {NvmeState} from './state.ts';

const changedPage = 4;

test('a namespace that changes while the list is on its way to the driver is in the next one', async (t) => {
	const disk = {kind: 'memory', bytes: 512} as const;
	const config = {
		namespaces: [1, 5].map((nsid) => ({nsid, disk, readOnly: false})),
		queues: 1,
		workers: 1,
		serial: 'test',
	};
	const state = NvmeState.on(new SharedArrayBuffer(NvmeState.byteLength));
	const memory = new SharedArrayBuffer(hostBytes(config));
	const host = {reactor: new FakeReactor(), worker: {index: 0, count: 1}, memory, offset: 0, noticed() {}};
	const logs = new LogPages(state, await Namespaces.open(config, state, host, openDisk));
	const ids = () => [...new Uint32Array((logs.page(changedPage) as Uint8Array).buffer)].filter((id) => id > 0);
	state.changedNamespaces = 1;
	t.deepEqual(ids(), [1]);
	state.changedNamespaces |= 2;
	logs.wasRead(changedPage);
	t.deepEqual(ids(), [5]);
	logs.wasRead(changedPage);
	t.deepEqual(ids(), []);
});
