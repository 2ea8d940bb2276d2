import {setTimeout as sleep} from 'node:timers/promises';
import {vmConfig} from '#main/config';
import type {Machine} from '#main/operations';
import type {VmEnd} from '#main/vm';
import {plainLogger} from '../logger.ts';
import {openControl, openEntry} from '../open-control.ts';
import {claimPidFile} from '../pid-file.ts';
import {print} from '../print.ts';
import {runMachine} from '../run.ts';

// A run of a machine that only pretends, with a name: its guest obeys the power button, or goes by it before anybody is answered, or is deaf to it, or the whole
// process hangs when the machine is to end. It is kept when a third word says so.
const [, , name = '', behaviour, keeps] = process.argv;
const {promise: ended, resolve: end} = Promise.withResolvers<VmEnd>();

// Its connections are over for a while before it says that it is.
const watchersLeft = behaviour === 'goes' ? ended.then(() => sleep(1000)) : Promise.resolve();

// A real machine's threads keep the process.
setInterval(() => {}, 1000);

let state = 'running';
const pretended = {
	get state() {
		return state;
	},
	ended,
	vsock: {path: undefined},
	async pause() {
		state = 'paused';
	},
	async resume() {
		state = 'running';
	},
	async powerButton() {
		if (behaviour === 'obeys' && state === 'running') end({kind: 'power-off'});
		if (behaviour !== 'goes') return;
		end({kind: 'power-off'});
		await new Promise(() => {});
	},
	async stop() {
		if (behaviour === 'hangs') for (;;);
		end({kind: 'stopped'});
	},
};

const status = await runMachine(
	{vm: vmConfig(), process: {logLevel: 'silent', name}},
	{
		openEntry: (config, log) => openEntry(config.process, log, {keeps: keeps !== undefined}),
		createMachine: async () => ({machine: pretended as unknown as Machine, watchersLeft}),
		openLog: async () => plainLogger('silent'),
		claimPidFile,
		attachTerminal: () => ({restore() {}}),
		async openControl(...words) {
			const control = await openControl(...words);
			if (behaviour === 'goes') void ended.then(() => control?.close());
			print(1, 'ready\n');
			return control;
		},
	},
);
process.exit(status);
