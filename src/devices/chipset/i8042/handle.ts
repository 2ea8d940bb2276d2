/** Names this device in machine descriptions. */
export const i8042Kind = 'i8042';

/** The keyboard controller has nothing to configure. */
export type I8042Config = Readonly<Record<never, never>>;
