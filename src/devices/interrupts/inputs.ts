/** Inputs of the I/O APIC: where devices' lines lead. */
export const gsiCount = 24;

/** One more, behind them: the boot processor's own interrupt pin, where the INTR output of a PIC of ours leads. */
export const extIntInput = gsiCount;

/** All inputs that a line may lead to. */
export const inputCount = gsiCount + 1;
