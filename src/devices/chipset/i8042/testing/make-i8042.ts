import {DeviceUnderTest} from '#devices/testing';
import {type I8042Config, I8042Input, i8042} from '../index.ts';

/** A controller with a hand on its keyboard and mouse, and a driver's ways to talk to it; for tests. */
export function makeI8042(config: I8042Config = {}) {
	const device = new DeviceUnderTest(i8042, config);
	// As another thread has it: everything is in the state.
	const input = new I8042Input(device.state, {line: (name) => device.line(name)});
	/** Everything that can be read now, the mouse's bytes with bit 8 set. */
	const drain = () => {
		const bytes: number[] = [];
		for (let status = device.in(0x64); (status & 1) !== 0; status = device.in(0x64)) {
			bytes.push(device.in(0x60) | ((status & 0x20) << 3));
			if (bytes.length > 1000) throw new Error('the output never ends');
		}
		return bytes;
	};
	/** Writes a command and its data, and reads the answer. */
	const command = (code: number, ...data: number[]) => {
		device.out(0x64, code);
		for (const byte of data) device.out(0x60, byte);
		return drain();
	};
	/** Writes bytes to the keyboard one by one, and reads the answers. */
	const keyboard = (...bytes: number[]) =>
		bytes.flatMap((byte) => {
			device.out(0x60, byte);
			return drain();
		});
	/** Writes bytes to the mouse one by one, and reads the answers, which must be the mouse's. */
	const mouse = (...bytes: number[]) => bytes.flatMap((byte) => command(0xd4, byte)).map((byte) => byte - 0x100);
	/** Reads what the mouse has sent, and nobody else. */
	const packets = () => drain().map((byte) => byte - 0x100);
	const level = (name: 'keyboard' | 'mouse') => device.levels.get(name) ?? false;
	return {device, input, drain, command, keyboard, mouse, packets, level};
}
