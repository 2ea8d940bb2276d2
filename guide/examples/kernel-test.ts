/** A test of an operating system, under Node's test runner: here of the one that comes with the package. `node --test kernel-test.ts` */
import assert from 'node:assert/strict';
import test from 'node:test';
import {testVm, withVm} from 'openvmm/testing';

// Yours is `{kind: 'linux', kernel: 'build/kernel.elf', commandLine: []}`: an ELF file by PVH or multiboot, or Linux.
const boot = {kind: 'embedded', commandLine: ['work=1000']} as const;

test('the kernel finds its processors and powers off', async (t) => {
	const vm = await testVm(t, {boot, processors: 2, memory: '64M', network: false});
	await vm.console.find('CPUs: 2 found, 2 running', {timeout: 60_000});
	assert.deepEqual(await vm.ended, {kind: 'power-off'});
});

test('what goes wrong names the folder with the console, the devices and the memory', async () => {
	const waiting = withVm({boot, memory: '64M', network: false, core: true}, async (vm) => {
		await vm.console.find('a banner that never comes', {timeout: 60_000});
	});
	await assert.rejects(waiting, /What the machine was at is in .*openvmm-/s);
});
