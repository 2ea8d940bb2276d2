/** One source of a level on one input of the interrupt controller. Sources sharing an input are combined by OR. */
export interface InterruptLine {
	/** Asserts or deasserts. Cheap when the level does not change. Callable from any thread, under the device's lock. */
	setLevel(asserted: boolean): void;
}
