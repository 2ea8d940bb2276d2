/** Names the devices of a machine in their order: one without a name of its own is called as usual, numbered from the second on. */
export class DeviceNames {
	readonly #counts = new Map<string, number>();

	/**
	 * @param usual - what such a device is called
	 * @param own - the name that it is given, if any
	 */
	next(usual: string, own?: string): string {
		const number = (this.#counts.get(usual) ?? 0) + 1;
		this.#counts.set(usual, number);
		return own ?? (number === 1 ? usual : `${usual}-${number}`);
	}
}
