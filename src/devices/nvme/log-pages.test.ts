import test from 'ava';
import {LogPages} from './log-pages.ts';
import {type NamespaceTold, NvmeState} from './state.ts';

const changedPage = 4;

test('a namespace that changes while the list is on its way to the driver is in the next one', (t) => {
	const state = NvmeState.on(new SharedArrayBuffer(NvmeState.byteLength));
	for (const [slot, nsid] of [5, 1].entries()) (state.namespaces[slot] as NamespaceTold).nsid = nsid;
	const logs = new LogPages(state);
	const ids = () => [...new Uint32Array((logs.page(changedPage) as Uint8Array).buffer)].filter((id) => id > 0);
	state.changedNamespaces = 2;
	t.deepEqual(ids(), [1]);
	state.changedNamespaces |= 1;
	logs.wasRead(changedPage);
	t.deepEqual(ids(), [5]);
	logs.wasRead(changedPage);
	t.deepEqual(ids(), []);
});
