/** Inputs of the I/O APIC: where devices' lines lead. */
export const gsiCount = 24;

/**
 * Inputs that no device of every PC has and no pin of PCI leads to, where the machine finds one for a line that asks for it. Those of
 * ISA are for lines that share with nobody, since guests may take them for edges.
 */
export const freeInputs = {shared: [20, 21, 22, 23], own: [5, 6, 7, 10, 11, 14, 15]} as const;

/** One more, behind them: the boot processor's own interrupt pin, where the INTR output of a PIC of ours leads. */
export const extIntInput = gsiCount;

/** Events of the GPE0 block: inputs of the power-management device, which makes the SCI of them. */
export const gpeCount = 16;

const firstGpe = extIntInput + 1;

/** The input of a general-purpose event, 0 to {@link gpeCount} - 1. */
export const gpeInput = (event: number): number => firstGpe + event;

/** Inputs that the outputs of PIT and RTC lead to in a machine with an HPET, which lets them through or takes their place. */
export const hpetInputs = {pit: firstGpe + gpeCount, rtc: firstGpe + gpeCount + 1} as const;

/** Asserted while an HPET replaces the PIT: for a PIT whose output does not lead to {@link hpetInputs}. */
export const pitReplacedInput = hpetInputs.rtc + 1;

/** All inputs that a line may lead to. */
export const inputCount = pitReplacedInput + 1;
