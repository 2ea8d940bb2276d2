import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {acpiPm, pmLayout, powerButton} from './index.ts';

const {base, sciIrq} = pmLayout;
const make = () => new DeviceUnderTest(acpiPm, {base, sciIrq});

test('the layout is that of OpenVMM', (t) => {
	t.deepEqual(acpiPm.attach.regions({base, sciIrq}), [{space: 'pio', name: 'dynamic', base: 0x400, length: 0x37}]);
	t.deepEqual(acpiPm.lines?.({base, sciIrq}), {sci: 9});
	t.deepEqual([pmLayout.control, pmLayout.timer, pmLayout.reset, pmLayout.resetValue], [4, 8, 0x33, 1]);
});

test('SLP_EN with type 0 powers off and with type 1 hibernates; other types do nothing', (t) => {
	const device = make();
	device.out(0x404, 0x2000, 2);
	device.out(0x404, 0x2401, 2);
	device.out(0x404, 0x3c00, 2);
	t.deepEqual(device.events, [{kind: 'power-off'}, {kind: 'hibernate'}]);
	t.is(device.in(0x404, 2), 0x1c01, 'the type is kept, SLP_EN reads zero, SCI_EN one');
});

test('a guest may write the sleep type first and SLP_EN by a byte access', (t) => {
	const device = make();
	device.out(0x404, 0x0400, 2);
	device.out(0x405, 0x24);
	t.deepEqual(device.events, [{kind: 'hibernate'}]);
});

test('only the value 1 in the reset register resets', (t) => {
	const device = make();
	device.out(0x433, 0);
	device.out(0x433, 2);
	t.deepEqual(device.events, []);
	device.out(0x433, 1);
	t.deepEqual(device.events, [{kind: 'reset'}]);
	t.is(device.in(0x433), 0);
});

test('the timer counts 3.579545 MHz of VM time in 32 bits', (t) => {
	const device = make();
	device.nowNs = 1e9;
	t.is(device.in(0x408, 4), 3_579_545);
	t.is(device.in(0x409, 2), (3_579_545 >> 8) & 0xffff);
	device.nowNs = 1200e9;
	t.is(device.in(0x408, 4), (3_579_545 * 1200) % 2 ** 32);
	device.nowNs = 90 * 86_400e9;
	const days = device.in(0x408, 4);
	device.nowNs += 1e6;
	t.is(device.in(0x408, 4) - days, 3579, 'still exact after 90 days');
	device.out(0x408, 0, 4);
	t.is(device.in(0x408, 4) - days, 3579, 'writes are ignored');
});

test('a status bit that is enabled raises the SCI until the guest writes a one to it', (t) => {
	const device = make();
	device.out(0x40e, 0x0200, 2);
	device.state.gpeStatus = 0x0201;
	device.out(0x402, 0x0001, 2);
	t.true(device.levels.get('sci'));
	t.is(device.in(0x40c, 4), 0x02000201, 'status and enable in one access');
	device.out(0x40c, 0x01, 1);
	t.is(device.in(0x40c, 2), 0x0200);
	t.true(device.levels.get('sci'));
	device.out(0x40d, 0x02, 1);
	t.false(device.levels.get('sci'));
});

test('enable bits that do not exist read zero', (t) => {
	const device = make();
	device.out(0x402, 0xffff, 2);
	t.is(device.in(0x400, 4), 0x05210000);
});

test('an edge on an event input is latched until the guest clears it', (t) => {
	const device = make();
	device.drive('gpe-0', true);
	device.drive('gpe-0', false);
	t.is(device.in(0x40c, 2), 0x0001);
	t.not(device.levels.get('sci'), true, 'it is not enabled');
	device.out(0x40e, 0x0001, 2);
	t.true(device.levels.get('sci'));
	device.out(0x40c, 0x0001, 2);
	t.is(device.in(0x40c, 2), 0);
	t.false(device.levels.get('sci'));
});

test('an event whose input is still asserted cannot be cleared', (t) => {
	const device = make();
	device.out(0x40e, 0x0200, 2);
	device.drive('gpe-9', true);
	device.out(0x40c, 0xffff, 2);
	t.is(device.in(0x40c, 2), 0x0200);
	t.true(device.levels.get('sci'));
	device.drive('gpe-9', false);
	t.is(device.in(0x40c, 2), 0x0200, 'its end clears nothing');
	device.out(0x40c, 0x0200, 2);
	t.false(device.levels.get('sci'));
});

test('the power button sets its status, which interrupts when it is enabled', (t) => {
	const device = make();
	device.control(powerButton);
	t.is(device.in(0x400, 2), 0x0100);
	t.false(device.levels.get('sci'));
	device.out(0x402, 0x0100, 2);
	t.true(device.levels.get('sci'));
	device.out(0x400, 0x0100, 2);
	t.false(device.levels.get('sci'));
});
