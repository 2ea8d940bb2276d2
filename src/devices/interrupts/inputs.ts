/** Inputs of the I/O APIC: where devices' lines lead. */
export const gsiCount = 24;

/** One more, behind them: the boot processor's own interrupt pin, where the INTR output of a PIC of ours leads. */
export const extIntInput = gsiCount;

/** Events of the GPE0 block: inputs of the power-management device, which makes the SCI of them. */
export const gpeCount = 16;

const firstGpe = extIntInput + 1;

/** The input of a general-purpose event, 0 to {@link gpeCount} - 1. */
export const gpeInput = (event: number): number => firstGpe + event;

/** Where the outputs of PIT and RTC lead in a machine with an HPET, which lets them through or takes their place. */
export const hpetInputs = {pit: firstGpe + gpeCount, rtc: firstGpe + gpeCount + 1} as const;

/** Asserted while an HPET replaces the PIT: for a PIT whose output does not lead to {@link hpetInputs}. */
export const pitReplacedInput = hpetInputs.rtc + 1;

/** All inputs that a line may lead to. */
export const inputCount = pitReplacedInput + 1;
