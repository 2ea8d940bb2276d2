import type {RawOptions} from '#support/options';

/** Fields of a device in a configuration, whatever it is. */
interface HandleParts {
	/** Unique in the machine. Without it the device is called after its kind, numbered from the second on. */
	readonly name?: string;
	/** The PCI Express port that a PCI function sits in. */
	readonly port?: string;
	/** Number of its function in the slot behind that port, 0–7; 0 unless it is given. */
	readonly function?: number;
	/** See `DeviceType.options`. Text is read as the words of a command line. */
	readonly options?: RawOptions;
}

/** Asks for a device of a kind that the registry has. Plain data: it survives structured clone and JSON. */
export interface KindHandle extends HandleParts {
	readonly kind: string;
}

/** Asks for a device of a user's own. */
export interface ModuleHandle extends HandleParts {
	/** Path of a module whose default export is a `DeviceType`. */
	readonly module: string;
}

/** Asks for a device. */
export type DeviceHandle = KindHandle | ModuleHandle;
