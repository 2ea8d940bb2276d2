import test from 'ava';
import {cmp, conf, ENABLED, MODE_32, makeRunning, ms} from './testing/make-hpet.ts';

const [running, legacy] = [1, 2];

test('PIT and RTC reach their inputs through the HPET until it replaces them', (t) => {
	const {device, general, edges} = makeRunning();
	device.drive('pit', true);
	device.drive('rtc', true);
	device.drive('rtc', false);
	t.deepEqual(edges(), ['legacy-timer up', 'legacy-rtc up', 'legacy-rtc down']);
	device.driveAgain('pit');
	t.deepEqual(edges(), ['legacy-timer again'], 'in one step');
	general(running | legacy);
	t.deepEqual(edges(), ['legacy-timer down'], 'the PIT rests high, and that level is no longer there');
	device.drive('pit', false);
	device.drive('pit', true);
	device.driveAgain('pit');
	device.drive('rtc', true);
	t.deepEqual(edges(), [], 'what they do now reaches nobody');
});

test('with the PIT at rest, timer 0 makes edges at its input', (t) => {
	const {device, write, general, run, edges} = makeRunning();
	device.drive('pit', true);
	general(running | legacy);
	write(conf(0), ENABLED | MODE_32);
	write(cmp(0), 10_000);
	edges();
	run(2 * ms);
	t.deepEqual(edges(), ['legacy-timer up']);
});

test('replacement needs the running timer, and ends with it', (t) => {
	const {device, general, edges} = makeRunning();
	general(legacy);
	device.drive('rtc', true);
	t.deepEqual(edges(), ['legacy-rtc up']);
	general(running | legacy);
	t.deepEqual(edges(), ['legacy-rtc down']);
	general(legacy);
	t.deepEqual(edges(), ['legacy-rtc up']);
});

test('a PIT that does not lead through the HPET is told when it is replaced', (t) => {
	const {device, general} = makeRunning();
	device.edges.length = 0;
	general(running);
	t.deepEqual(device.edges, []);
	general(running | legacy);
	general(running);
	t.deepEqual(device.edges, ['pit-replaced up', 'pit-replaced down']);
});
