import test from 'ava';
import {type VmOptions, vmConfig} from '#main/config';
import {describeDevices} from './index.ts';

const birth = {timeMs: 0, generationId: '00112233445566778899aabbccddeeff'};
const describe = (options: VmOptions) => describeDevices(vmConfig(options), [{gpa: 0, length: 2 ** 26}], birth);
const configOf = (options: VmOptions, name: string) => describe(options).find((device) => device.name === name)?.config;
const names = (options: VmOptions) => describe(options).map(({name}) => name);

test('flags add devices, and a plain machine has none of them', (t) => {
	const optional = ['hpet', 'guest-watchdog', 'battery'];
	const has = (options: VmOptions) => names(options).filter((name) => optional.includes(name));
	t.deepEqual(has({}), []);
	t.deepEqual(has({hpet: true, guestWatchdog: true, battery: true}), optional);
});

test('with an HPET the outputs of PIT and RTC lead to it, however it got there', (t) => {
	const hpet = {name: 'mine', kind: 'hpet', config: {base: 0xfed0_0000}, route: 'shared'} as const;
	t.like(configOf({irqchip: 'split'}, 'pit'), {irq: 0});
	t.is((configOf({}, 'rtc') as {irq?: number}).irq, undefined);
	for (const options of [{hpet: true}, {devices: [hpet]}]) {
		t.like(configOf({irqchip: 'split', ...options}, 'pit'), {irq: 41});
		t.like(configOf(options, 'rtc'), {irq: 42});
	}
});
