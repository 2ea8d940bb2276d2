import test from 'ava';
import {isVmmError} from '#support/errors';
import {checkConfig} from './check-config.ts';
import {cpuText, parseCpu} from './cpu-option.ts';
import {vmConfig} from './defaults.ts';

const given: readonly (readonly [text: string, choice: ReturnType<typeof parseCpu>])[] = [
	['host', {model: 'host', with: [], without: []}],
	['x86-64-v2,-popcnt,+smep', {model: 'x86-64-v2', with: ['smep'], without: ['popcnt']}],
	['host,-sse4.1,-kvm_pv_unhalt', {model: 'host', with: [], without: ['sse4.1', 'kvm_pv_unhalt']}],
	['x86-64-v1,tsc_khz=2500000', {model: 'x86-64-v1', with: [], without: [], tscKhz: 2_500_000}],
];
for (const [text, choice] of given) {
	test(`--cpu ${text} is read, and written again`, (t) => {
		t.deepEqual(parseCpu(text), choice);
		t.deepEqual(parseCpu(cpuText(choice)), choice);
	});
}

const wrong: readonly (readonly [text: string, code: string, message: RegExp, remedy: RegExp])[] = [
	['x86-64-v5', 'CONFIG_CPU_MODEL', /model "x86-64-v5"/, /^Did you mean x86-64-v\d\? There are host, x86-64-v1,/],
	['pentium', 'CONFIG_CPU_MODEL', /model "pentium"/, /^There are host/],
	['', 'CONFIG_CPU_MODEL', /model ""/, /^/],
	['constructor', 'CONFIG_CPU_MODEL', /model "constructor"/, /^/],
	['host,-popcmt', 'CONFIG_CPU_FEATURE', /feature "popcmt"/, /^Did you mean popcnt\? .*help --cpu/],
	['host,+frobnicate', 'CONFIG_CPU_FEATURE', /feature "frobnicate"/, /^`openvmm help --cpu`/],
	['host,-x2apic', 'CONFIG_CPU_DECIDED', /about x2apic: --x2apic does/, /^Leave/],
	['host,+smep,-smep', 'CONFIG_CONFLICT', /\+smep conflicts with -smep/, /^Leave/],
	['host,+avx2,-xsave', 'CONFIG_CONFLICT', /\+avx2 conflicts with -xsave/, /^Leave/],
	['host,popcnt', 'CONFIG_KEY_UNKNOWN', /no key "popcnt"/, /tsc_khz, \+FEATURE, -FEATURE/],
	['host,tsc_khz=2000000=3', 'CONFIG_VALUE_INVALID', /2000000=3/, /^/],
	['host,tsc_khz=1', 'CONFIG_NUMBER_RANGE', /tsc_khz 1 is out/, /1000 to/],
	['host,tsc_khz=2000000,tsc_khz=3000000', 'CONFIG_KEY_REPEATED', /"tsc_khz" twice/, /once/],
];
for (const [text, code, message, remedy] of wrong) {
	test(`--cpu ${text} is refused as ${code}`, (t) => {
		const error = t.throws(() => parseCpu(text), {code, message});
		t.true(isVmmError(error));
		t.regex((error as {remedy?: string} | undefined)?.remedy ?? '', remedy);
	});
}

test("a program's choice is checked as the command line's is", (t) => {
	const cpu = {model: 'x86-64-v9' as 'host', with: ['nosuch'], without: ['ht'], tscKhz: 5};
	t.deepEqual(
		checkConfig(vmConfig({cpu})).map(({code}) => code),
		['CONFIG_CPU_MODEL', 'CONFIG_CPU_FEATURE', 'CONFIG_CPU_DECIDED', 'CONFIG_NUMBER_RANGE'],
	);
	t.deepEqual(vmConfig().cpu, {model: 'host', with: [], without: []});
});
