import test from 'ava';
import {vmConfig} from '#main/config';
import {createVm} from './create-vm.ts';

test("a program's mistake gets the answer that a flag's gets, whatever the host has", async (t) => {
	const mistakes = {
		CONFIG_NUMBER_RANGE: vmConfig({processors: {count: 0}}),
		CONFIG_PATH_MISSING: vmConfig({boot: {kind: 'linux', kernel: '/nowhere/vmlinuz', commandLine: []}}),
		CONFIG_CONSOLE_TWICE: vmConfig({serial: {com2: {kind: 'console', outputFd: 1}}}),
	};
	for (const [code, config] of Object.entries(mistakes)) await t.throwsAsync(createVm(config), {code});
});
