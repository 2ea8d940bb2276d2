import type {AnyDeviceType} from '#devices/device-type';
import type {RawOptions} from '#support/options';

/** Options as somebody might give them: the examples of the table. */
export const exampleOptions = ({options: table = {}}: AnyDeviceType): RawOptions =>
	Object.fromEntries(
		Object.entries(table).flatMap(([name, {example}]) => (example === undefined ? [] : [[name, example]])),
	);
