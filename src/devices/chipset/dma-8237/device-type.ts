import {deviceType} from '#devices/device-type';
import {dma8237, dma8237Kind} from './device.ts';

/** The DMA controllers as machines have them. */
export const dma8237Type = deviceType({
	...dma8237,
	kind: dma8237Kind,
	summary: "The PC's two DMA controllers",
	configure: () => ({}),
});
