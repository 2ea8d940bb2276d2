import type {RawOptions} from '#support/options';

/** A flag of the command line that asks for a device. */
export interface DeviceFlag {
	/** Long name without its dashes, as OpenVMM has it. */
	readonly name: string;
	/** Placeholder of the value in capitals; a flag without one is a switch. */
	readonly value?: string;
	readonly help: string;
	/** What holds without the flag, as the reader would write it. */
	readonly default?: string;
	/** All values count, in order; otherwise the last one does. */
	readonly repeat?: true;
}

/** A device that flags ask for. */
export interface FlaggedDevice {
	readonly name?: string;
	readonly options?: RawOptions;
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
