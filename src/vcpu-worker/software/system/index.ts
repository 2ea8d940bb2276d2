/** The system part of the processor: modes, segments, exceptions, and the instructions that TypeScript carries out. */

export {
	componentsOf,
	isXcr0,
	readUpperHalves,
	saveImage,
	systemInstructions,
	takeImage,
	writeUpperHalves,
} from '#vcpu-worker/software/system/instructions';
export {flagsOf, GuestFault, type Outside, setFlags} from '#vcpu-worker/software/system/registers';
export {Processor, type ProcessorStop} from './processor.ts';
export {randomNumbers} from './random.ts';
