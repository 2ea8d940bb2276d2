export {breakpointsUnit} from './breakpoints-unit.ts';
export {clockUnit} from './clock-unit.ts';
export {kernelChipsUnit} from './kernel-chips-unit.ts';
export {devicesUnit, haltWatchUnit, memoryUnit, vcpusUnit} from './machine-units.ts';
export type {SavedUnit, StateUnit} from './state-unit.ts';
export {type SavedUnits, StateUnits} from './state-units.ts';
export {maxVmTimeNs, TimeUnit} from './time-unit.ts';
