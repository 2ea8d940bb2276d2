export {sampleRegisters} from './sample-registers.ts';
