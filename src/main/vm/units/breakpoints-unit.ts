import type {GuestMemory} from '#devices/guest-memory';
import type {StateUnit} from '#support/state-units';
import {unchecked} from '#support/trust';
import type {DebugControl} from '../debug-control.ts';

const int3 = 0xcc;

/**
 * A debugger's software breakpoints: an INT3 in place of an instruction's first byte, only while the guest runs. So
 * whoever looks at memory while it stands still (debugger, dump, snapshot, reset) sees the guest's own bytes.
 */
export function breakpointsUnit(memory: GuestMemory, debug: DebugControl): StateUnit {
	const replaced = new Map<number, number>();
	return {
		name: 'breakpoints',
		needs: ['memory'],
		start() {
			for (const address of debug.breakpoints.software) {
				const byte = unchecked(memory.readU8(address));
				if (byte === undefined) continue;
				replaced.set(address, byte);
				memory.writeU8(address, int3);
			}
		},
		stop() {
			for (const [address, byte] of replaced) {
				// The guest has written new code there: that is what stays.
				if (unchecked(memory.readU8(address)) === int3) memory.writeU8(address, byte);
			}
			replaced.clear();
		},
	};
}
