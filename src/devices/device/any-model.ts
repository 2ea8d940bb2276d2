import type {BackParts, Bus, DeviceModel, MachineServices, ModelParts, Region} from './device.ts';
import type {Owned, OwnedBus, OwnedDevice, OwnedModel} from './owned-device.ts';

/** A device model whose type parameters are forgotten, as its module declares it. */
export type DeclaredModel =
	// biome-ignore lint/suspicious/noExplicitAny: existential over configuration and state; each model is checked where it is written
	{[B in Bus]: DeviceModel<any, any, B>}[Bus] | DeclaredOwnedModel;

/** The same of an owned device. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type DeclaredOwnedModel = {[B in OwnedBus]: OwnedModel<any, B>}[OwnedBus];

/** Maker of an owned device in a machine. */
export interface ServedOwned extends Pick<Owned<never, never>, 'version' | 'mostBytes'> {
	/** @param state - what of the device is in shared memory all the same: a function's configuration space */
	make(config: unknown, state: unknown, services: MachineServices & BackParts): OwnedDevice;
	/** False for accesses that any thread serves: to configuration space and to MSI-X's table. */
	answers(config: unknown): (region: number, offset: number) => boolean;
}

/** A model with all its regions, as registries and machine descriptions hold it; see `completeModel`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export interface AnyDeviceModel extends ModelParts<any, any, MachineServices> {
	// biome-ignore lint/suspicious/noExplicitAny: as above
	regions(config: any): readonly Region[];
	/** Present where the device worker has the device for itself, in the place of a back. */
	readonly owned?: ServedOwned;
}
