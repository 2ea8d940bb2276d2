import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {AttachedMachine, layOutMachine} from '#devices/machine';
import {findDeviceModel} from '#devices/registry';
import {vmConfig} from '#main/config';
import {describeDevices, randomGenerationId} from '#main/machine';
import {DoorbellState, mailboxBytes} from '#support/mailbox';
import {stateLimits} from './state-limits.ts';

test('all devices that a flag can ask for need half of what their state may be, whatever it holds', (t) => {
	const config = vmConfig({irqchip: 'split', hpet: true, battery: true, guestWatchdog: true, debugExitPort: 0xf4});
	const birth = {timeMs: 0, generationId: randomGenerationId()};
	const devices = describeDevices(config, [{gpa: 0, length: 2 ** 30}], birth);
	const doorbell = {buffer: new SharedArrayBuffer(DoorbellState.byteLength), wakeFd: -1};
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, doorbell};
	const layout = layOutMachine(devices, findDeviceModel, {modules: [], doorbell, mailbox});
	const interrupts = {setLine() {}, messages: {send() {}, setRoutes() {}}};
	const host = {findModel: findDeviceModel, interrupts, memory: new MappedMemory([])};
	const machine = new AttachedMachine(layout, host);
	for (const buffer of [layout.state, layout.interrupts]) new Uint8Array(buffer).fill(0xff);
	const text = JSON.stringify({units: {devices: machine.save()}}, null, '\t');
	const described = machine.devices.map(({placed: instance, model}) => ({instance, model}));
	const limits = stateLimits(0, described);
	t.true(text.length <= limits.bytes / 2, `${text.length} of ${limits.bytes} bytes`);
	const values = text.match(/[,:{[]/g)?.length ?? 0;
	t.true(values <= limits.values / 2, `${values} of ${limits.values}`);
	t.true(limits.bytes < 4 * text.length, 'and not much more');
	t.log(text.length, limits, values);
});
