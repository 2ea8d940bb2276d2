import test from 'ava';
import {TestNic} from '#devices/network/testing';
import {FakeReactor} from '#devices/testing';
import {Frame, FrameDescriptor} from './index.ts';

test('a descriptor is waited for as long as it may give or take something, and one that has gone by nobody', (t) => {
	const [reactor, nic] = [new FakeReactor(), new TestNic()];
	const descriptor = new FrameDescriptor({fd: 9, nic, reactor, frame: new Frame(60), read: () => 'frame'});
	const asked = () => [...reactor.watches].map(({readable, writable}) => [readable, writable]);
	const ready = (state: {readable: boolean; writable: boolean}) => {
		for (const watch of reactor.watches) watch.ready({...state, failed: false});
	};
	descriptor.start();
	t.deepEqual(asked(), [[true, false]]);
	descriptor.full();
	t.deepEqual(asked(), [[true, true]]);
	nic.most = 0;
	ready({readable: true, writable: false});
	t.deepEqual(asked(), [[false, true]], 'the guest has no room');
	ready({readable: false, writable: true});
	t.deepEqual([asked(), nic.rooms], [[], 1], 'it has told the guest');
	nic.most = 1;
	descriptor.room();
	t.deepEqual(asked(), [[true, false]]);
	descriptor.full();
	descriptor.gone();
	t.deepEqual([asked(), nic.rooms], [[], 2], 'what waited for it is lost');
	descriptor.stop();
	descriptor.start();
	t.deepEqual(asked(), []);
});
