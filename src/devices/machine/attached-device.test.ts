import test from 'ava';
import {SharedTarget} from './attached-device.ts';
import {DeviceHeader} from './layout.ts';

/** A device whose lock another thread holds, or not. */
function targetOf(isHeld: boolean) {
	const header = DeviceHeader.on(new SharedArrayBuffer(DeviceHeader.byteLength));
	header.lock = isHeld ? 1 : 0;
	const front = {
		read: () => 5,
		write: () => {
			throw new Error('a bug');
		},
	};
	return {header, target: new SharedTarget('mine', header, front, 20)};
}

test('a device that does not come back from another access is a fault with its name', (t) => {
	const {target} = targetOf(true);
	const expected = {code: 'DEVICE_HANGS', message: /^The device mine has been busy/};
	t.throws(() => target.read(0, 0, 1), expected);
	t.throws(() => target.write(0, 0, 1, 0), expected);
	t.throws(() => target.locked(() => {}), expected);
});

test('an access that throws is a fault with its name, and leaves the device free', (t) => {
	const {header, target} = targetOf(false);
	t.throws(() => target.write(0, 0, 1, 0), {
		code: 'DEVICE_FAILED',
		message: 'The device mine failed (write): a bug',
	});
	t.is(header.lock, 0);
	t.is(target.read(0, 0, 1), 5);
});
