export {describe, differences, isLeftOut} from './compare.ts';
export {generate, type LegacyCase} from './generate.ts';
export {runInQemu, runOnSoftware} from './machines.ts';
