/** One source of a level on one input of the interrupt controller. Sources sharing an input are combined by OR. */
export interface InterruptLine {
	/** Asserts or deasserts. Cheap when the level does not change. Callable from any thread, under the device's lock. */
	setLevel(asserted: boolean): void;
	/**
	 * Asserts by a rising edge: a line that is asserted falls first. Both are one step, for a controller takes the request of a
	 * line that has fallen back, and a processor that acknowledges just then would get a spurious interrupt. Callable like
	 * {@link setLevel}.
	 */
	rise(): void;
}
