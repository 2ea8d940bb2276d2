/** Names this device in machine descriptions. */
export const dma8237Kind = 'dma-8237';

/** The pair of DMA controllers of a PC; where they are is fixed. */
export type Dma8237Config = Readonly<Record<string, never>>;
