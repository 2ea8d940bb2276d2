import test from 'ava';
import {SharedTarget} from './attached-device.ts';
import {DecodeChanges, DecodeState} from './decode-changes.ts';
import {DeviceFaults} from './device-failure.ts';
import {DeviceHeader} from './device-header.ts';

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
	const faults = new DeviceFaults('mine', header, 'machine', () => {});
	const decode = new DecodeChanges(new SharedArrayBuffer(DecodeState.byteLength), {follow: undefined, waits: true});
	let made = 0;
	const makeFront = () => {
		made++;
		return front;
	};
	return {header, made: () => made, target: new SharedTarget(header, makeFront, faults, decode, 20)};
}

test('a front is made when somebody comes to the device, once', (t) => {
	const {target, made} = targetOf(false);
	t.is(made(), 0);
	t.is(target.read(0, 0, 1), 5);
	t.is(target.read(0, 0, 1), 5);
	t.is(made(), 1);
});

test('a device that does not come back from another access is a fault with its name', (t) => {
	const expected = {code: 'DEVICE_HANGS', message: /^The device mine has been busy/};
	t.throws(() => targetOf(true).target.read(0, 0, 1), expected);
	t.throws(() => targetOf(true).target.write(0, 0, 1, 0), expected);
	t.throws(() => targetOf(true).target.locked(() => {}), expected);
});

test('an access that throws is a fault with its name, leaves the lock free, and is the last one', (t) => {
	const {header, target} = targetOf(false);
	t.throws(() => target.write(0, 0, 1, 0), {
		code: 'DEVICE_FAILED',
		message: 'The device mine failed (write): a bug',
	});
	t.is(header.lock, 0);
	t.is(target.read(0, 0, 1), 0xff);
	t.is(targetOf(false).target.read(0, 0, 1), 5);
});
