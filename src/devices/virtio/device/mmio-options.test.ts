import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {echoModel} from '#devices/virtio/testing';
import {mmioPlace, type virtioMmio} from './index.ts';

const hex = (bytes: Uint8Array | string | undefined) => Buffer.from(bytes ?? []).toString('hex');

test('ACPI announces every device on MMIO by the id that Linux binds to, each by a name of its own', (t) => {
	const echo = echoModel('mmio') as ReturnType<typeof virtioMmio>;
	const names = new AcpiNames();
	const [first, far, shared] = [
		[0xd000_0000, 5],
		[2 ** 40 + 0xd000_0000, 10],
		[0xd100_0000, 20],
	].map(([base = 0, irq = 0]) => hex(echo.acpi?.({mmio: {base}} as never, names, {interrupt: irq}).device));
	for (const [index, device] of [first, far, shared].entries())
		t.true(device?.includes(hex(`V00${index}`)) && device.includes(hex('LNRO0005')));
	t.true(first?.includes('86090001' + '000000d0' + '00100000' + '89060009' + '0105000000'), 'level, shared');
	t.true(far?.includes('8a2b00' + '00' + '0d' + '01' + '0000000000000000' + '000000d000010000' + 'ff0f00d000010000'));
	t.true(far?.includes(`${hex('_UID')}0c00000d10`), 'its page');
	t.true(shared?.includes('8906000d' + '0114000000'), "active low, as PCI's pins");
});

test('a place is a page, and an interrupt that no device of every PC has for itself', (t) => {
	t.deepEqual(mmioPlace({base: 0xd000_0000}), {mmio: {base: 0xd000_0000}});
	t.deepEqual(mmioPlace({base: 0xd000_0000, irq: 5}), {mmio: {base: 0xd000_0000, irq: 5}});
	t.throws(() => mmioPlace({base: 0xd000_0200, irq: 5}), {message: /multiple of 4096/});
	for (const irq of [0, 2, 4, 8, 12])
		t.throws(() => mmioPlace({base: 0xd000_0000, irq}), {message: /another device's/});
});
