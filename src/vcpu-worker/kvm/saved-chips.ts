import {bytesOf, record, type SavedValue} from '#support/saved-state';
import type {StateUnit} from '#support/state-units';
import type {Fields, InputFields, PlainFields, Wire} from '#support/wire';
import {getIrqchip, getPit, type IrqchipState, restartPit, setIrqchip, setPit} from './chips.ts';
import {KvmIoapicState, KvmPicState, KvmPitState2, type PitState} from './structs-vm.ts';

/** The interrupt controllers and the timer that KVM emulates for a whole machine. */
interface ChipStates {
	readonly irqchip: IrqchipState;
	readonly pit: PitState;
}

/** Reads them. Only while no vCPU runs. */
export const readChips = (vmFd: number): ChipStates => ({irqchip: getIrqchip(vmFd), pit: getPit(vmFd)});

/** Writes them. Only while no vCPU runs. */
function writeChips(vmFd: number, {irqchip, pit}: ChipStates): void {
	setIrqchip(vmFd, irqchip);
	setPit(vmFd, pit);
}

/** A kernel struct: its bytes. The kernel's ABI is its schema, and the kernel checks its fields. */
function kernelStruct<F extends Fields>(layout: Wire<F>): SavedValue<PlainFields<F>> {
	const bytes = bytesOf(layout.size, layout.size);
	return {
		save: (value) => bytes.save(layout.encode(value as InputFields<F>)),
		parse: (saved, path) => layout.read(bytes.parse(saved, path)),
	};
}

const savedChips = record({
	picMaster: kernelStruct(KvmPicState),
	picSlave: kernelStruct(KvmPicState),
	ioapic: kernelStruct(KvmIoapicState),
	pit: kernelStruct(KvmPitState2),
});

/**
 * The interrupt controllers and the timer that KVM emulates for the whole machine. In a split machine they are devices of
 * ours. Their state now, right after their creation, is the one to reset to.
 */
export function kernelChipsUnit(vmFd: number): StateUnit {
	const name = 'kernel-chips';
	const powerOn = readChips(vmFd);
	return {
		name,
		needs: ['time'],
		// It ran on while the guest stood still, and would make up for every tick of that time.
		start: () => restartPit(vmFd),
		reset: () => writeChips(vmFd, powerOn),
		save() {
			const {irqchip, pit} = readChips(vmFd);
			return savedChips.save({...irqchip, pit});
		},
		restore(saved) {
			const {pit, ...irqchip} = savedChips.parse(saved, name);
			writeChips(vmFd, {irqchip, pit});
		},
	};
}
