import type {KindHandle} from './handle.ts';

/** A flag of the command line that asks for a device. */
export interface DeviceFlag {
	/** Long name without its dashes, as OpenVMM has it. */
	readonly name: string;
	/** Placeholder of the value in capitals; a flag without one is a switch. */
	readonly value?: string;
	readonly help: string;
	/** Value without the flag, as the reader would write it. */
	readonly default?: string;
	/** The only words allowed as value. */
	readonly choices?: readonly string[];
	/** The flag without which this one says nothing; of several, any. */
	readonly needs?: string | readonly string[];
	/** All values count, in order; otherwise the last one does. */
	readonly repeat?: true;
}

/** A device that flags ask for. */
export interface FlaggedDevice extends Pick<KindHandle, 'name' | 'port' | 'options'> {
	/**
	 * Kind of the device where the flags are of several kinds of devices, such as the same on another bus; otherwise that of their
	 * type.
	 */
	readonly kind?: string;
}

/** The flags of a device type. */
export interface DeviceFlags {
	readonly rows: readonly DeviceFlag[];
	/**
	 * The devices that these flags ask for, or that a machine has without any of them.
	 * @param given - the values of a flag, in order; that of a switch is empty
	 * @throws VmmError with a `CONFIG_` code
	 */
	devices(given: (flag: string) => readonly string[]): readonly FlaggedDevice[];
}

/** A switch that adds one such device. */
export const switchFlag = (name: string, help: string): DeviceFlags => ({
	rows: [{name, help}],
	devices: (given) => (given(name).length > 0 ? [{}] : []),
});
