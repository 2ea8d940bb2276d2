import type {AcpiDescription, AcpiNames} from '#devices/acpi';
import type {
	AnyDeviceModel,
	Bus,
	DeclaredModel,
	DeviceCommand,
	DeviceModel,
	OwnedBus,
	OwnedModel,
} from '#devices/device';
import type {MemoryRange} from '#devices/guest-memory';
import type {Children} from '#support/inspect';
import type {OptionTable, OptionValues} from '#support/options';
import type {Fields, FieldsView} from '#support/wire';
import type {DeviceFlags} from './flags.ts';

/** Facts of a machine that its devices' configurations may depend on. */
export interface MachineFacts {
	/** Ranges of RAM. */
	readonly ram: readonly MemoryRange[];
	/** Real time at which VM time is 0, Unix milliseconds. */
	readonly bornMs: number;
	/** 16 random bytes in hexadecimal. */
	readonly generationId: string;
	/** It starts an operating system or goes on with one, rather than with a program that comes alone. */
	readonly hasSystem: boolean;
	/** There is a device of this kind in it. */
	has(kind: string): boolean;
}

/** A device's use of the process's terminal, which only one device of a machine can have. */
export interface TerminalUse {
	/** It takes what is typed. */
	readonly takesInput: boolean;
	/** Linux's name for it, for `console=`. */
	readonly linuxName?: string;
	/** What the device is told when the terminal has another size, in characters; without this it has no way to say it to the guest. */
	readonly resize?: (columns: number, rows: number) => DeviceCommand;
}

/** A structure of the SMBIOS table. */
export interface SmbiosStructure {
	/** 0–126 (SMBIOS 3.1, 7). */
	readonly type: number;
	/** Bytes that follow its type, length and handle. */
	readonly body: Uint8Array;
	/** Strings that the body names by numbers, from 1 on: printable ASCII. */
	readonly strings?: readonly string[];
}

/** What a device's backs have for the machine's owner. */
export interface HostReport {
	/** Further nodes of the device in inspect; some may be writable. */
	nodes(): Children;
	/** What there is to tell since the last call. A device that guests have much to tell of keeps some for the next, which comes a round later. */
	notices(): readonly DeviceNotice[];
}

/** Something that has happened to a device, which its machine's owner is told. */
export interface DeviceNotice {
	/** Such as `disk-error`. */
	readonly kind: string;
	/** How much it matters, as logs have it; `warn` without this. */
	readonly level?: 'debug' | 'info' | 'warn';
	/** A sentence without a full stop, for a log. */
	readonly message: string;
	/** The same as data. */
	readonly details: Readonly<Record<string, string | number>>;
	/** The machine is to pause until somebody has it go on. */
	readonly pauses: boolean;
}

/** Parts of a device type beside its model. */
export interface TypeParts<T extends OptionTable, C, O = OptionValues<T>> {
	/** Summary in one line that begins with a capital. */
	readonly summary: string;
	/** Options of such a device. Without it there are none. */
	readonly options?: T;
	/** Makes the model's configuration. Without it the options are the configuration. */
	configure?(options: O, machine: MachineFacts): C;
	/** Names a device without a name of its own; else it is called after its kind. */
	defaultName?(options: O): string;
	/** Flags of the command line that ask for it. */
	readonly flags?: DeviceFlags;
	/** Tells how it uses the terminal, if it does. */
	terminal?(options: O): TerminalUse | undefined;
	/**
	 * Describes it for the ACPI tables. Without it a guest finds it by itself.
	 * @param names - for objects of which there may be several in a machine
	 * @param inputs - where its lines lead, by their names
	 */
	acpi?(config: C, names: AcpiNames, inputs: Readonly<Record<string, number>>): AcpiDescription;
	/** Describes it for the SMBIOS table. */
	smbios?(config: C): readonly SmbiosStructure[];
	/** One example of each command that it takes. */
	readonly commands?: readonly (DeviceCommand & Readonly<Record<string, unknown>>)[];
	/**
	 * Reads what the device's backs have in the host memory that they share, for the machine's owner: they go on meanwhile.
	 * @param memory - what the model's `hostMemory` asked for
	 */
	report?(config: C, memory: SharedArrayBuffer): HostReport;
	/** Only the machine itself makes such devices, with configurations like this: nobody can ask for one. */
	readonly machineOnly?: {readonly example: C};
}

/** A device type's words for its state. */
export interface StateWords<C, F extends Fields> {
	/** Tells what the device is doing, in words for inspect, while the guest goes on. The state may hold anything. */
	words?(state: FieldsView<F>, config: C): Readonly<Record<string, string>>;
}

/**
 * A kind of device, whole: its model, and all that configurations, the command line, the firmware tables, snapshots, the guide
 * and the tests have to know of it. A device folder exports one, and the registry lists it.
 * @typeParam T - its options
 * @typeParam C - the model's configuration
 * @typeParam F - the model's state
 */
export type DeviceType<T extends OptionTable, C, F extends Fields, B extends Bus = 'regions'> = DeviceModel<C, F, B> &
	TypeParts<T, C> &
	StateWords<C, F>;

/** The same of a device that the device worker owns. */
export type OwnedType<T extends OptionTable, C, B extends OwnedBus = 'regions'> = OwnedModel<C, B> & TypeParts<T, C>;

/** A device type whose type parameters are forgotten, as its module declares it. */
// biome-ignore lint/suspicious/noExplicitAny: existential; each type is checked where it is written
export type DeclaredType = DeclaredModel & TypeParts<OptionTable, any, any> & StateWords<any, any>;

/** The same with all its regions, as the registry holds it. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type AnyDeviceType = AnyDeviceModel & TypeParts<OptionTable, any, any> & StateWords<any, any>;

/**
 * Declares a device type: its options, its configuration and its model have to fit each other.
 * @typeParam A - the names in its `attach`, from which the types of services and front come
 */
export function deviceType<
	const K extends string,
	const T extends OptionTable = Readonly<Record<never, never>>,
	C = OptionValues<T>,
	F extends Fields = Fields,
	A extends Bus = Bus,
>(
	type: (DeviceType<T, C, F, BusOf<A>> | OwnedType<T, C, BusOf<A> & OwnedBus>) & {
		readonly kind: K;
		readonly attach: Readonly<Partial<Record<A, unknown>>>;
	} & Configured<T, C>,
): DeclaredOf<K, T> {
	return {options: {}, ...type} as unknown as DeclaredOf<K, T>;
}

/** Attachment of a device, of the names in its `attach`: a function on PCI Express may have regions besides. */
type BusOf<A extends Bus> = 'pci' extends A ? 'pci' : A;

/** A declared device type whose kind and options are known to whoever uses it. */
export type DeclaredOf<K extends string, T extends OptionTable> = DeclaredType & {
	readonly kind: K;
	readonly options: T;
};

/** A type whose options are no configuration has to make one, unless the machine does. */
type Configured<T extends OptionTable, C> =
	OptionValues<T> extends C ? unknown : {readonly configure: unknown} | {readonly machineOnly: unknown};
