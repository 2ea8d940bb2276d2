import {stateError} from '#support/saved-state';
import type {StateUnit} from '#support/state-units';
import {getIrqchip, getPit, type IrqchipState, restartPit, setIrqchip, setPit} from './chips.ts';
import {restoreBytes, saveBytes} from './saved-bytes.ts';
import {KvmIoapicState, KvmPicState, KvmPitState2, type PitState} from './structs-vm.ts';

/** The interrupt controllers and the timer that KVM emulates for a whole machine. */
export interface ChipStates {
	readonly irqchip: IrqchipState;
	readonly pit: PitState;
}

/** Reads them. Only while no vCPU runs. */
export const readChips = (vmFd: number): ChipStates => ({irqchip: getIrqchip(vmFd), pit: getPit(vmFd)});

/** Writes them. Only while no vCPU runs. */
export function writeChips(vmFd: number, {irqchip, pit}: ChipStates): void {
	setIrqchip(vmFd, irqchip);
	setPit(vmFd, pit);
}

/** Each chip's kernel struct. */
export interface SavedChips {
	readonly picMaster: string;
	readonly picSlave: string;
	readonly ioapic: string;
	readonly pit: string;
}

/** The chips' state as data that survives JSON. */
export const saveChips = ({irqchip, pit}: ChipStates): SavedChips => ({
	picMaster: saveBytes(KvmPicState, irqchip.picMaster),
	picSlave: saveBytes(KvmPicState, irqchip.picSlave),
	ioapic: saveBytes(KvmIoapicState, irqchip.ioapic),
	pit: saveBytes(KvmPitState2, pit),
});

/** The state that {@link saveChips} gave. @throws VmmError STATE_FIELD_WRONG */
export function parseChips(saved: unknown): ChipStates {
	if (typeof saved !== 'object' || saved === null)
		throw stateError('STATE_FIELD_WRONG', {struct: 'chips', field: 'all'});
	const {picMaster, picSlave, ioapic, pit} = saved as Partial<Record<keyof SavedChips, unknown>>;
	const irqchip = {
		picMaster: restoreBytes(KvmPicState, picMaster),
		picSlave: restoreBytes(KvmPicState, picSlave),
		ioapic: restoreBytes(KvmIoapicState, ioapic),
	};
	return {irqchip, pit: restoreBytes(KvmPitState2, pit)};
}

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
