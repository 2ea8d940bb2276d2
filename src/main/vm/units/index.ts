export {breakpointsUnit} from './breakpoints-unit.ts';
export {devicesUnit, eventsUnit, haltWatchUnit, memoryUnit, vcpusUnit} from './machine-units.ts';
export {maxVmTimeNs, TimeUnit} from './time-unit.ts';
