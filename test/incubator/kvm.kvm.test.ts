import {closeSync, constants, openSync} from 'node:fs';
import test from 'ava';

test('KVM tests run where /dev/kvm opens for reading and writing', (t) => {
	const fd = openSync('/dev/kvm', constants.O_RDWR);
	closeSync(fd);
	t.true(fd > 2);
});
