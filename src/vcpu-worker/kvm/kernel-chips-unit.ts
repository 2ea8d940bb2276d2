import type {StateUnit} from '#support/state-units';
import {restartPit} from './chips.ts';
import {parseChips, readChips, saveChips, writeChips} from './saved-chips.ts';

/**
 * The interrupt controllers and the timer that KVM emulates for the whole machine. In a split machine they are devices of
 * ours. Their state now, right after their creation, is the one to reset to.
 */
export function kernelChipsUnit(vmFd: number): StateUnit {
	const powerOn = readChips(vmFd);
	return {
		name: 'kernel-chips',
		needs: ['time'],
		// It ran on while the guest stood still, and would make up for every tick of that time.
		start: () => restartPit(vmFd),
		reset: () => writeChips(vmFd, powerOn),
		save: () => saveChips(readChips(vmFd)),
		restore: (saved) => writeChips(vmFd, parseChips(saved)),
	};
}
