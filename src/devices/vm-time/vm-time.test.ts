import test from 'ava';
import {VmTime, VmTimeState} from './vm-time.ts';

const make = () => {
	const buffer = new SharedArrayBuffer(VmTimeState.byteLength);
	return {time: new VmTime(buffer), elsewhere: new VmTime(buffer)};
};

test('time that is caught up is VM time, on every thread, but not time that the VM has run', (t) => {
	const {time, elsewhere} = make();
	time.set(5e9, 2e9);
	time.catchUp(7e9);
	t.is(elsewhere.nowNs(), 12e9);
	t.is(elsewhere.ranNs(), 3e9);
	time.start();
	while (elsewhere.nowNs() < 12e9 + 1e6);
	time.stop();
	t.is(time.nowNs() - time.ranNs(), 9e9);
	t.true(time.ranNs() >= 3e9 + 1e6 && time.ranNs() < 4e9);
});

test('what the owner sets is set while time stands still', (t) => {
	const {time} = make();
	time.start();
	for (const change of [() => time.set(0), () => time.catchUp(1), () => time.setLag(1)]) t.throws(change);
});
