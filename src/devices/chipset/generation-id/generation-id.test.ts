import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {DeviceUnderTest} from '#devices/testing';
import {type ChangeGeneration, generationId, generationIdType} from './index.ts';

const address = 0x1000;
const first = '00112233445566778899aabbccddeeff';
const second = 'ffeeddccbbaa99887766554433221100';
const make = () => new DeviceUnderTest(generationId, {address, id: first});
const change = (id: string): ChangeGeneration => ({kind: 'change-generation', id});

function idInMemory({memory}: ReturnType<typeof make>): string {
	const bytes = new Uint8Array(16);
	memory.copyOut(address, bytes);
	return Buffer.from(bytes).toString('hex');
}

test('the id lies in guest memory at power-on, without an event', (t) => {
	const device = make();
	t.is(idInMemory(device), first);
	t.deepEqual(device.edges, []);
});

test('a change is in guest memory before the event, which is an edge', (t) => {
	const device = make();
	device.control(change(second));
	t.is(idInMemory(device), second);
	t.deepEqual(device.edges, ['changed up', 'changed down']);
	t.is(device.state.changes, 1);
});

test('what the guest writes over its id is put right by a reset, which is no new generation', (t) => {
	const device = make();
	device.memory.fill(address, 16, 0);
	device.reset();
	t.is(idInMemory(device), first);
	t.deepEqual(device.edges, []);
});

test('a saved device brings its id along, until it is told of a new generation', (t) => {
	const [one, two] = [make(), make()];
	one.control(change(second));
	two.restore(one.save());
	t.is(Buffer.from(two.state.id).toString('hex'), second);
	two.control(change(first));
	t.is(idInMemory(two), first);
});

test('commands of other devices are ignored', (t) => {
	const device = make();
	device.control({kind: 'power-button'});
	t.is(device.state.changes, 0);
});

test('ACPI has its address, the ids that guests bind by, and an event of the GPE0 block', (t) => {
	const {device, event} = generationIdType.acpi?.({address: 0x1_000e_1000, id: ''}, new AcpiNames(), {}) ?? {};
	const hex = (bytes: Uint8Array | string | undefined) => Buffer.from(bytes ?? []).toString('hex');
	t.true(hex(device).includes(`08${hex('ADDR')}1208020c00100e0001`));
	for (const id of ['VM_Gen_Counter', 'VMGENCTR']) t.true(hex(device).includes(`0d${hex(id)}00`));
	t.true(hex(event).includes(`${hex('_E00')}00865c2e${hex('_SB_VGEN')}0a80`));
});
