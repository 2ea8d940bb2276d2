/** A device of your own: adds up guest memory. `openvmm --device guide/examples/checksum.ts,port=0x600,irq=5,log=jobs.txt` */
import {appendFile} from 'node:fs/promises';
import {deviceType, f64, u8, u32, wire} from 'openvmm/devices';

/** All that changes while the guest runs. Every thread sees it; resetting, inspecting and saving it is not our work. */
const State = wire('checksum', {
	address: u32,
	length: u32,
	result: u32,
	done: u8,
	jobs: f64,
});

/** 32-bit registers. Writing COMMAND starts a job; reading it tells whether one is done, and lowers the interrupt. */
const Register = {ADDRESS: 0, LENGTH: 4, RESULT: 8, COMMAND: 12} as const;

/** A guest may ask for anything, but not for our time. */
const maxLength = 64 * 1024;

const checksum = deviceType({
	kind: 'checksum',
	summary: 'Adds up guest memory',
	options: {
		port: {type: 'number', min: 0, max: 0xfff0, default: 0x600, help: 'the first of its sixteen ports'},
		irq: {type: 'number', min: 0, max: 23, default: 5, help: 'its interrupt'},
		log: {type: 'path', use: 'stream', host: true, optional: true, help: 'a file that gets a line for every job'},
	},
	state: State,
	attach: {regions: ({port}) => [{space: 'pio', name: 'registers', base: port, length: 16}]},
	lines: ({irq}) => ({done: irq}),

	/** Runs on whichever thread took the access, under the device's lock. */
	front(_config, state, services) {
		const line = services.line('done');
		const buffer = new Uint8Array(maxLength);
		const run = () => {
			const bytes = buffer.subarray(0, Math.min(state.length, maxLength));
			// False where there is no RAM; the address is the guest's, so that is no error of ours.
			const isRam = services.memory.copyOut(state.address, bytes);
			state.result = isRam ? bytes.reduce((sum, byte) => (sum + byte) >>> 0, 0) : 0;
			state.done = 1;
			state.jobs++;
			line.setLevel(true);
			services.notifyBack();
		};
		const takeStatus = () => {
			const {done} = state;
			state.done = 0;
			line.setLevel(false);
			return done;
		};
		return {
			read(_region, offset, size) {
				if (size !== 4) return 2 ** (8 * size) - 1;
				if (offset === Register.ADDRESS) return state.address;
				if (offset === Register.LENGTH) return state.length;
				if (offset === Register.RESULT) return state.result;
				return offset === Register.COMMAND ? takeStatus() : 0;
			},
			write(_region, offset, size, value) {
				if (size !== 4) return;
				if (offset === Register.ADDRESS) state.address = value;
				if (offset === Register.LENGTH) state.length = value;
				if (offset === Register.COMMAND) run();
			},
		};
	},

	/** Runs on the device worker, and may talk to the world, but not wait for it: other devices are served there too. */
	back({log}, state, services) {
		let [logged, isAsked] = [0, false];
		let writing = Promise.resolve();
		const write = async () => {
			isAsked = false;
			const {jobs, result} = services.locked(() => ({jobs: state.jobs, result: state.result}));
			if (log === undefined || jobs === logged) return;
			logged = jobs;
			await appendFile(log, `${jobs} jobs, last sum ${result}\n`);
		};
		/** One line at a time, however fast the guest is. A promise that is returned may fail, which fails the device. */
		const look = () => {
			if (!isAsked) writing = writing.then(write);
			isAsked = true;
			return writing;
		};
		return {start: look, stop: () => writing, notified: look, dispose() {}};
	},
});

export default checksum;
