import test from 'ava';
import {exampleOptions} from '#devices/conformance';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {AttachedMachine, layOutMachine, workersFor} from '#devices/machine';
import {isFunctionModel} from '#devices/pci/function';
import {deviceRegistry, findDeviceModel} from '#devices/registry';
import {type VmConfig, vmConfig} from '#main/config';
import {describeDevices, randomGenerationId} from '#main/machine';
import {mailboxBytes, type WakerHandle, WakerState} from '#support/mailbox';
import {stateLimits} from './state-limits.ts';

const types = {...deviceRegistry, own: []};

test('all devices that can be asked for need half of what their state may be, whatever it holds', (t) => {
	const irqchip = 'split';
	const describe = (devices: VmConfig['devices']) => {
		const birth = {timeMs: 0, generationId: randomGenerationId()};
		return describeDevices(vmConfig({irqchip, devices}), [{gpa: 0, length: 2 ** 30}], birth, types).devices;
	};
	const ofMachine = describe([]).map(({kind}) => kind);
	const others = deviceRegistry.types.filter(
		(type) => !type.machineOnly && !ofMachine.includes(type.kind) && !isFunctionModel(type),
	);
	const instances = describe(
		others.map((type, index) => {
			const options = exampleOptions(type);
			return {kind: type.kind, options: 'base' in options ? {...options, base: 0xd000_0000 + 0x1000 * index} : options};
		}),
	);
	const wakers = Array.from({length: workersFor(instances, findDeviceModel)}, () => {
		return {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1};
	});
	const [waker] = wakers as [WakerHandle];
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	const layout = layOutMachine(instances, findDeviceModel, {modules: [], wakers, mailbox});
	const interrupts = tellingInterrupts();
	const host = {findModel: findDeviceModel, interrupts, memory: new MappedMemory(plainMemory())};
	const machine = new AttachedMachine(layout, host);
	for (const buffer of [layout.state, layout.interrupts]) new Uint8Array(buffer).fill(0xff);
	const text = JSON.stringify({units: {devices: machine.save()}}, null, '\t');
	const described = machine.devices.map(({placed: instance, model}) => ({instance, model}));
	const limits = stateLimits(0, {bytes: 0, values: 0}, described);
	t.true(text.length <= limits.bytes / 2, `${text.length} of ${limits.bytes} bytes`);
	const values = text.match(/[,:{[]/g)?.length ?? 0;
	t.true(values <= limits.values / 2, `${values} of ${limits.values}`);
	t.true(limits.bytes < 4 * text.length, 'and not much more');
	t.log(text.length, limits, values);
});
