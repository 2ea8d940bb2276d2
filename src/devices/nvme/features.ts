import {CommandStatus} from './status.ts';

/** Kelvin. The controller has no sensor, and is always as warm as a room. */
export const temperature = {NOW: 298, WARNING: 343, CRITICAL: 353} as const;

/** Features that are a number of the driver's, and bits of it that exist (NVM Express Base 2.0, 5.27.1). */
interface Feature {
	readonly id: number;
	readonly bits: number;
	/** Value at power-on. */
	readonly value: number;
	/** Values that the controller has; any without it. */
	accepts?(value: number): boolean;
}

const features = [
	{id: 0x01, bits: 0xffff_ff07, value: 0},
	// There is one power state.
	{id: 0x02, bits: 0xff, value: 0, accepts: (value) => (value & 0x1f) === 0},
	{id: 0x05, bits: 0x1_ffff, value: 0, accepts: (value) => value < 0x1_0000},
	{id: 0x06, bits: 0x1, value: 1},
	{id: 0x08, bits: 0xffff, value: 0},
	{id: 0x0a, bits: 0x1, value: 0},
	{id: 0x0b, bits: 0xffff_ffff, value: 0},
] as const satisfies readonly Feature[];

/** Temperature thresholds, over and under, behind the others. */
const thresholds = [temperature.WARNING, 0] as const;

const indexOf = (id: number): number => features.findIndex((feature) => feature.id === id);

/** Values of all at power-on, in the order of the state. */
export const defaultFeatures: readonly number[] = [...features.map(({value}) => value), ...thresholds];

/** Places of those that other parts ask for. */
export const FeaturePlace = {
	WRITE_CACHE: indexOf(0x06),
	EVENTS: indexOf(0x0b),
	OVER_TEMPERATURE: features.length,
	UNDER_TEMPERATURE: features.length + 1,
} as const;

/** Feature ids with rules of their own. */
export const OwnFeature = {QUEUES: 0x07, VECTOR: 0x09, TEMPERATURE: 0x04} as const;

/** Place of a feature in the state, of this value of dword 11; undefined where there is none. */
export function featurePlace(id: number, dword11: number): number | undefined {
	if (id !== OwnFeature.TEMPERATURE) {
		const index = indexOf(id);
		return index < 0 ? undefined : index;
	}
	const [sensor, kind] = [(dword11 >>> 16) & 0xf, (dword11 >>> 20) & 0x3];
	const isComposite = sensor === 0 || sensor === 0xf;
	return isComposite && kind <= 1 ? FeaturePlace.OVER_TEMPERATURE + kind : undefined;
}

/** Sets a feature. */
export function setFeature(values: Uint32Array, place: number, value: number): CommandStatus {
	const feature: Feature | undefined = features[place];
	if (feature === undefined) {
		values[place] = value & 0xffff;
		return CommandStatus.SUCCESS;
	}
	const bits = (value & feature.bits) >>> 0;
	if (feature.accepts?.(bits) === false) return CommandStatus.INVALID_FIELD;
	values[place] = bits;
	return CommandStatus.SUCCESS;
}

/** The controller is too warm, or too cold, for the driver's thresholds. */
export const isTemperatureWrong = (values: ArrayLike<number>): boolean =>
	temperature.NOW >= (values[FeaturePlace.OVER_TEMPERATURE] ?? 0) ||
	temperature.NOW <= (values[FeaturePlace.UNDER_TEMPERATURE] ?? 0);
