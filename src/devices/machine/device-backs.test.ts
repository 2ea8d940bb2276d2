import test from 'ava';
import type {DeviceModel} from '#devices/device';
import {MappedMemory} from '#devices/guest-memory';
import {FakeReactor} from '#devices/testing';
import {DoorbellState, MailboxCaller, mailboxBytes} from '#support/mailbox';
import {sharedStruct, u8} from '#support/shared-memory';
import {AttachedMachine, DeviceBacks, layOutMachine} from './index.ts';

const State = sharedStruct('caller', {written: u8()});

/** A device that calls for its back at every write, and what the back is told. */
function machineOf() {
	const told: string[] = [];
	const model: DeviceModel<object, typeof State.fields> = {
		kind: 'caller',
		state: State,
		regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 1}],
		front: (_config, _state, services) => ({read: () => 0, write: () => services.notifyBack()}),
		back: () => ({
			start: () => void told.push('start'),
			stop: async () => void told.push('stop'),
			notified: () => void told.push('notified'),
			dispose() {},
		}),
	};
	const doorbell = {buffer: new SharedArrayBuffer(DoorbellState.byteLength), wakeFd: -1};
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, doorbell};
	const findModel = () => model;
	const device = {name: 'caller', kind: 'caller', config: {}, route: 'shared'} as const;
	const layout = layOutMachine([device], findModel, {modules: [], doorbell, mailbox});
	const interrupts = {setLine() {}, messages: {send() {}, setRoutes() {}}};
	const machine = new AttachedMachine(layout, {findModel, interrupts, memory: new MappedMemory([])});
	const bus = machine.bus(new MailboxCaller(mailbox, 0, {spins: 1, giveUp: () => true}));
	return {told, backs: new DeviceBacks(machine, new FakeReactor()), write: () => bus.writePort(0x500, 1, 1)};
}

test('a back is told once of what came before it started, and of all that comes until it has stopped', async (t) => {
	const {told, backs, write} = machineOf();
	write();
	write();
	t.false(backs.poll());
	backs.start();
	t.true(backs.poll());
	t.false(backs.poll());
	write();
	const stopped = backs.stop();
	t.true(backs.poll(), 'output that is under way is still passed on');
	await stopped;
	write();
	t.false(backs.poll());
	backs.start();
	t.true(backs.poll());
	t.deepEqual(told, ['start', 'notified', 'stop', 'notified', 'start', 'notified']);
});
